#include "evidence/code.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace quietus::test {
namespace {

TEST_CASE("a code is one to 64 of a-z, 0-9 and the hyphen", "[code]") {
  CHECK(Code("customer-request-2").text() == "customer-request-2");
  CHECK(Code::parse("a")->text() == "a");
  CHECK(Code::parse(std::string(64, 'x'))->text().size() == 64);
  CHECK(Code("one") == *Code::parse("one"));
  CHECK_FALSE(Code("one") == Code("two"));

  CHECK_FALSE(Code::parse(""));
  CHECK_FALSE(Code::parse(std::string(65, 'x')));
  const std::string refused[] = {"Customer", "two words", "under_score", "dot.", "a\n",
                                 "\xC3\xA9", "a@b",       "\"",          "a/b",  "a\\"};
  for (const std::string& text : refused) {
    INFO(text);
    CHECK_FALSE(Code::parse(text));
  }
  CHECK_FALSE(Code::parse(std::string("a\0b", 3)));
}

}  // namespace
}  // namespace quietus::test
