#include "evidence/strict_json.hpp"

#include <optional>
#include <set>
#include <vector>

#include "evidence/utc_time.hpp"

namespace quietus {
namespace {

constexpr std::size_t kMaxDepth = 16;
constexpr std::size_t kMaxMembers = 64;

// Looks at a text without building anything; the first objection ends the parse. The names of its
// functions are the parser's.
class StrictnessCheck final : public nlohmann::json_sax<Json> {
 public:
  const char* objection() const noexcept { return objection_; }

  bool null() override { return refuse("JSON has a null"); }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return refuse("JSON has a negative number"); }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override {
    return refuse("JSON has a number that is not an integer");
  }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return refuse("JSON has binary"); }

  bool start_object(std::size_t) override {
    members_.emplace_back();
    return members_.size() <= kMaxDepth || refuse("JSON is nested too deeply");
  }
  bool key(string_t& name) override {
    std::set<std::string>& seen = members_.back();
    if (seen.size() == kMaxMembers) return refuse("JSON object has too many members");
    return seen.insert(name).second || refuse("JSON object has a duplicate member");
  }
  bool end_object() override { return leave(); }
  bool start_array(std::size_t elements) override { return start_object(elements); }
  bool end_array() override { return leave(); }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return refuse("not well-formed JSON");
  }

 private:
  bool leave() {
    members_.pop_back();
    return true;
  }
  bool refuse(const char* objection) {
    objection_ = objection;
    return false;
  }

  const char* objection_ = nullptr;
  std::vector<std::set<std::string>> members_;  // of every object and array that is open
};

}  // namespace

Result<Json> parse_strict_json(std::string_view text) {
  const auto refused = [](const char* reason) { return Error(ErrorCode::kUnverified, reason); };
  if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x80 || c == 0; }))
    return refused("JSON has bytes outside ASCII, or zero bytes");
  StrictnessCheck check;
  if (!Json::sax_parse(text, &check)) return refused(check.objection());
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return refused("not well-formed JSON");
  return json;
}

std::string canonical_text(const Json& json) {
  return json.dump(-1, ' ', true);
}

const Json& JsonFields::member(const char* name) {
  static const Json none;
  if (json_->is_object()) {
    const auto found = json_->find(name);
    if (found != json_->end()) return *found;
  }
  fail(name);
  return none;
}

std::string JsonFields::text(const char* name) {
  const Json& json = member(name);
  if (json.is_string()) return json.get_ref<const std::string&>();
  fail(name);
  return {};
}

std::uint64_t JsonFields::number(const char* name) {
  const Json& json = member(name);
  if (json.is_number_unsigned()) return json.get<std::uint64_t>();
  fail(name);
  return 0;
}

bool JsonFields::boolean(const char* name) {
  const Json& json = member(name);
  if (json.is_boolean()) return json.get<bool>();
  fail(name);
  return false;
}

JsonFields JsonFields::object(const char* name) {
  const Json& json = member(name);
  if (!json.is_object()) fail(name);
  return {json, *fault_};
}

const Json& JsonFields::list(const char* name) {
  static const Json empty = Json::array();
  const Json& json = member(name);
  if (json.is_array()) return json;
  fail(name);
  return empty;
}

Code JsonFields::code(const char* name) {
  if (const std::optional<Code> code = Code::parse(text(name))) return *code;
  fail(name);
  return "none";
}

std::uint64_t JsonFields::id(const char* name) {
  if (const std::optional<std::uint64_t> id = parse_hex_id(text(name))) return *id;
  fail(name);
  return 0;
}

UnixMillis JsonFields::time(const char* name) {
  if (const std::optional<UnixMillis> time = parse_utc(text(name))) return *time;
  fail(name);
  return 0;
}

void JsonFields::fail(const char* name) {
  if (fault_->empty()) *fault_ = name;
}

}  // namespace quietus
