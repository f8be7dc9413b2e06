#include "ndjson_line.hpp"

#include "base/text_encoding.hpp"

#include <nlohmann/json.hpp>
#include <optional>

namespace quietus {
namespace {

using nlohmann::json;

// Takes a line apart as the parser walks over it. Every call returns false to refuse; the first
// reason stays in `problem`.
class LineReceiver : public json::json_sax_t {
 public:
  std::optional<std::string> name;
  std::optional<std::string> value;
  std::optional<std::string> content_type;
  std::string problem;

  bool start_object(std::size_t) override {
    ++depth_;
    if (depth_ == 1) return true;
    if (depth_ == 2 && member_ == "tags" && !tags_) return tags_ = true;
    return refuse_value();
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool key(string_t& text) override {
    if (depth_ == 2) return refuse("tags are not supported yet");
    member_ = std::move(text);
    if (member_ == "tags" ? tags_ : target() != nullptr && target()->has_value())
      return refuse("the same member twice");
    if (member_ != "tags" && target() == nullptr)
      return refuse("a member other than name, value, content_type and tags");
    return true;
  }
  bool string(string_t& text) override {
    std::optional<std::string>* const to = depth_ == 1 ? target() : nullptr;
    if (to == nullptr) return refuse_value();
    *to = std::move(text);
    return true;
  }

  bool null() override { return refuse_value(); }
  bool boolean(bool) override { return refuse_value(); }
  bool number_integer(number_integer_t) override { return refuse_value(); }
  bool number_unsigned(number_unsigned_t) override { return refuse_value(); }
  bool number_float(number_float_t, const string_t&) override { return refuse_value(); }
  bool binary(binary_t&) override { return refuse_value(); }
  bool start_array(std::size_t) override { return refuse_value(); }
  bool end_array() override { return refuse_value(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return refuse("not a JSON object");
  }

 private:
  std::optional<std::string>* target() noexcept {
    if (member_ == "name") return &name;
    if (member_ == "value") return &value;
    if (member_ == "content_type") return &content_type;
    return nullptr;
  }
  bool refuse_value() {
    if (depth_ == 0) return refuse("not a JSON object");
    return refuse(member_ == "tags" ? "tags is not an object" : member_ + " is not text");
  }
  bool refuse(std::string why) {
    if (problem.empty()) problem = std::move(why);
    return false;
  }

  int depth_ = 0;
  bool tags_ = false;
  std::string member_;
};

Error bad_line(std::string why) {
  return {ErrorCode::kInvalidArgument, std::move(why)};
}

}  // namespace

Result<NdjsonRecord> parse_ndjson_line(std::string_view line) {
  if (line.starts_with("\xEF\xBB\xBF"))
    return bad_line("a byte order mark");  // the parser skips it
  LineReceiver received;
  const bool parsed = json::sax_parse(line.begin(), line.end(), &received);
  if (!received.problem.empty()) return bad_line(std::move(received.problem));
  if (!parsed) return bad_line("not a JSON object");
  if (!received.name) return bad_line("name is missing");
  if (!received.value) return bad_line("value is missing");
  std::optional<Bytes> value = from_base64(*received.value);
  if (!value) return bad_line("value is not base64");
  return NdjsonRecord{std::move(*received.name), std::move(*value),
                      std::move(received.content_type).value_or(std::string())};
}

std::string format_ndjson_line(const NdjsonRecord& record) {
  nlohmann::ordered_json line;
  line["name"] = record.name;
  if (!record.content_type.empty()) line["content_type"] = record.content_type;
  line["value"] = to_base64(record.value);
  return line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace quietus
