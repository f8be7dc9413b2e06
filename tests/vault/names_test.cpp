#include "names.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "support/result_matchers.hpp"

using namespace quietus;
using quietus::test::must;

TEST_CASE("record names that are allowed") {
  for (const std::string& name :
       {std::string("a"), std::string("a/b/c"), std::string("..."), std::string(".hidden"),
        std::string("a..b"), std::string("gr\u00f6\u00dfe"), std::string("\u00a0"),
        std::string("with space"), std::string("back\\slash"), std::string(1024, 'x'),
        std::string("\U0001F600")}) {
    INFO(name);
    CHECK(validate_record_name(name));
  }
}

TEST_CASE("record names that are refused") {
  using namespace std::string_literals;
  for (const std::string& name : {""s,
                                  std::string(1025, 'x'),
                                  "/"s,
                                  "/a"s,
                                  "a/"s,
                                  "a//b"s,
                                  "."s,
                                  ".."s,
                                  "a/./b"s,
                                  "a/.."s,
                                  "../a"s,
                                  "a\nb"s,
                                  "\0"s,
                                  "a\x7f"s,
                                  "\xc2\x80"s,
                                  "a\xc2\x9f"s,
                                  "\xff"s,
                                  "\xc0\xaf"s,
                                  "\xed\xa0\x80"s,
                                  "cut off \xc3"s}) {
    INFO(name);
    CHECK_FAILS_WITH(validate_record_name(name), ErrorCode::kInvalidArgument);
  }
}

TEST_CASE("an error about a name does not repeat it") {
  const auto refused = validate_record_name("secret\n");
  REQUIRE(!refused.ok());
  CHECK(refused.error().context().find("secret") == std::string::npos);
}

TEST_CASE("scope paths are taken apart") {
  CHECK(must(parse_scope_path("acme")) == std::vector<std::string_view>{"acme"});
  CHECK(must(parse_scope_path("acme/customer-data/user-7")) ==
        std::vector<std::string_view>{"acme", "customer-data", "user-7"});
  const std::string longest(255, 'x');
  CHECK(must(parse_scope_path(longest + "/" + longest)).size() == 2);
}

TEST_CASE("scope paths that are refused") {
  for (const std::string& path :
       {std::string(), std::string("/"), std::string("/a"), std::string("a/"), std::string("a//b"),
        std::string("."), std::string("a/.."), std::string(256, 'x'), std::string("a\x01"),
        std::string("a/\xff")}) {
    INFO(path);
    CHECK_FAILS_WITH(parse_scope_path(path), ErrorCode::kInvalidArgument);
  }
  CHECK_FAILS_WITH(validate_scope_element("a/b"), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(validate_scope_element(""), ErrorCode::kInvalidArgument);
}

TEST_CASE("a scope path has at most 32 elements") {
  std::string path = "s";
  for (int i = 1; i < 32; ++i) path += "/s";
  CHECK(must(parse_scope_path(path)).size() == 32);
  CHECK_FAILS_WITH(parse_scope_path(path + "/s"), ErrorCode::kInvalidArgument);
}

TEST_CASE("content types") {
  CHECK(validate_content_type(""));
  CHECK(validate_content_type("text/plain; charset=utf-8"));
  CHECK(validate_content_type(std::string(255, 't')));
  CHECK_FAILS_WITH(validate_content_type(std::string(256, 't')), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(validate_content_type("a\r\nb"), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(validate_content_type("\xff"), ErrorCode::kInvalidArgument);
}
