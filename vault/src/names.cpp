#include "names.hpp"

#include "base/text_encoding.hpp"

namespace quietus {
namespace {

Error refused(std::string_view what, std::string_view why) {
  return {ErrorCode::kInvalidArgument, std::string(what).append(" ").append(why)};
}

// C0, DEL, and C1, which is C2 80 to C2 9F in UTF-8. Requires: is_utf8(text).
bool has_control_character(std::string_view text) noexcept {
  std::uint8_t before = 0;
  for (const std::uint8_t byte : as_bytes(text)) {
    if (byte < 0x20 || byte == 0x7F || (before == 0xC2 && byte < 0xA0)) return true;
    before = byte;
  }
  return false;
}

Result<void> validate_text(std::string_view what, std::string_view text) {
  if (!is_utf8(text)) return refused(what, "is not UTF-8");
  if (has_control_character(text)) return refused(what, "has a control character");
  return {};
}

bool is_element(std::string_view text) noexcept {
  return !text.empty() && text != "." && text != "..";
}

// Cuts the text before the first '/' off `rest`; there is nothing left once `rest` has no data.
std::string_view next_element(std::string_view& rest) noexcept {
  const std::size_t end = rest.find('/');
  const std::string_view element = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return element;
}

}  // namespace

Result<void> validate_record_name(std::string_view name) {
  constexpr std::string_view kWhat = "a record name";
  if (name.empty() || name.size() > kMaxRecordName) return refused(kWhat, "has 1 to 1,024 bytes");
  QUIETUS_TRY(validate_text(kWhat, name));
  for (std::string_view rest = name; rest.data() != nullptr;)
    if (!is_element(next_element(rest)))
      return refused(kWhat, "has no empty element, and none that is \".\" or \"..\"");
  return {};
}

Result<void> validate_scope_element(std::string_view element) {
  constexpr std::string_view kWhat = "an element of a scope path";
  if (element.empty() || element.size() > kMaxScopeElement)
    return refused(kWhat, "has 1 to 255 bytes");
  QUIETUS_TRY(validate_text(kWhat, element));
  if (!is_element(element) || element.find('/') != std::string_view::npos)
    return refused(kWhat, "is not \".\" or \"..\" and has no \"/\"");
  return {};
}

Result<std::vector<std::string_view>> parse_scope_path(std::string_view path) {
  std::vector<std::string_view> elements;
  if (path.empty()) return refused("a scope path", "has at least one element");
  for (std::string_view rest = path; rest.data() != nullptr;) {
    if (elements.size() == kMaxScopeElements)
      return refused("a scope path", "has at most 32 elements");
    elements.push_back(next_element(rest));
    QUIETUS_TRY(validate_scope_element(elements.back()));
  }
  return elements;
}

Result<void> validate_content_type(std::string_view content_type) {
  constexpr std::string_view kWhat = "a content type";
  if (content_type.size() > kMaxContentType) return refused(kWhat, "has at most 255 bytes");
  return validate_text(kWhat, content_type);
}

}  // namespace quietus
