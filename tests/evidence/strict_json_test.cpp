#include "evidence/strict_json.hpp"

#include "support/result_matchers.hpp"

namespace quietus::test {
namespace {

TEST_CASE("plain JSON reads and writes to the same text", "[json]") {
  const std::string texts[] = {
      "{}",
      "[]",
      R"({"b":1,"a":[true,false,"x"],"c":{"b":18446744073709551615}})",
      R"({"dash":"\u2014","quote":"\"","line":"\n"})",
      R"("text")",
      "0",
  };
  for (const std::string& text : texts)
    CHECK(canonical_text(must(parse_strict_json(text))) == text);
}

TEST_CASE("what two parsers might read differently is refused", "[json]") {
  const std::string refused[] = {
      "",
      "{",
      "{}{}",
      "{} x",
      R"({"a":1,"a":1})",
      R"({"a":1,"b":2,"\u0061":3})",  // the same name, escaped
      R"({"x":{"a":1,"a":2}})",
      R"([{"a":1},{"a":[{"b":1,"b":1}]}])",
      R"({"a":-1})",
      R"({"a":-0})",
      R"({"a":1.0})",
      R"({"a":1e3})",
      R"({"a":18446744073709551616})",  // 2^64
      R"({"a":01})",
      R"({"a":null})",
      R"({"a":NaN})",
      R"({'a':1})",
      R"({"a":1,})",
      R"({"a":"\x"})",
      "{\"a\":\"\n\"}",
      "{\"a\":\"\xC3\xA9\"}",
      "\xEF\xBB\xBF{}",
      R"({"a":/**/1})",
      R"({"a":"\uD800"})",
      std::string("{}\0", 3),
  };
  for (const std::string& text : refused) {
    INFO(text);
    CHECK_FAILS_WITH(parse_strict_json(text), ErrorCode::kUnverified);
  }
}

TEST_CASE("depth and number of members are bounded", "[json]") {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK(parse_strict_json(nested(16)).ok());
  CHECK_FAILS_WITH(parse_strict_json(nested(17)), ErrorCode::kUnverified);
  CHECK_FAILS_WITH(parse_strict_json(std::string(1000000, '[')), ErrorCode::kUnverified);

  const auto wide = [](int members) {
    std::string text = "{";
    for (int i = 0; i < members; ++i) text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":1";
    return text + "}";
  };
  CHECK(parse_strict_json(wide(64)).ok());
  CHECK_FAILS_WITH(parse_strict_json(wide(65)), ErrorCode::kUnverified);
}

TEST_CASE("fields name the first member that is missing or of the wrong kind", "[json]") {
  const Json json = must(parse_strict_json(
      R"({"id":"00000000000000ff","n":7,"b":true,"o":{"code":"a-b"},"l":[1],"t":"2026-03-01T12:30:05Z"})"));
  std::string fault;
  JsonFields fields(json, fault);
  CHECK(fields.id("id") == 255);
  CHECK(fields.number("n") == 7);
  CHECK(fields.boolean("b"));
  CHECK(fields.object("o").code("code") == Code("a-b"));
  CHECK(fields.list("l").size() == 1);
  CHECK(fields.time("t") == 1772368205000);
  CHECK(fields.hex<8>("id")[7] == 0xFF);
  CHECK(fault.empty());

  CHECK(fields.text("n").empty());
  CHECK(fault == "n");
  CHECK(fields.object("missing").number("below") == 0);
  CHECK(fault == "n");

  const auto fault_of = [&](auto read) {
    std::string name;
    JsonFields each(json, name);
    read(each);
    return name;
  };
  CHECK(fault_of([](JsonFields& f) { f.number("id"); }) == "id");
  CHECK(fault_of([](JsonFields& f) { f.boolean("n"); }) == "n");
  CHECK(fault_of([](JsonFields& f) { f.object("l"); }) == "l");
  CHECK(fault_of([](JsonFields& f) { f.list("o"); }) == "o");
  CHECK(fault_of([](JsonFields& f) { f.code("t"); }) == "t");
  CHECK(fault_of([](JsonFields& f) { f.time("id"); }) == "id");
  CHECK(fault_of([](JsonFields& f) { f.hex<16>("id"); }) == "id");
  CHECK(fault_of([](JsonFields& f) { f.id("t"); }) == "t");
  CHECK(fault_of([](JsonFields& f) { f.object("o").text("none"); }) == "none");
}

}  // namespace
}  // namespace quietus::test
