#include "html.hpp"

#include "printable_text.hpp"

#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

std::string_view entity_of(char c) {
  switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return {};
  }
}

std::string list_tree(const Json& list) {
  if (list.empty()) return "none";
  std::string text = "<ol>";
  for (const Json& item : list) text += "<li>" + html_tree(item) + "</li>";
  return text + "</ol>";
}

std::string object_tree(const Json& object, std::string_view left_out) {
  std::string text = "<dl>";
  for (const auto& [name, value] : object.items()) {
    if (name == left_out) continue;
    text += "<div><dt>" + html(name) + "</dt> <dd>" + html_tree(value) + "</dd></div>";
  }
  return text + "</dl>";
}

}  // namespace

std::string html(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    const std::string_view entity = entity_of(c);
    if (entity.empty())
      out += c;
    else
      out += entity;
  }
  return out;
}

std::string html_tree(const Json& value, std::string_view left_out) {  // NOLINT(misc-no-recursion)
  if (value.is_object()) return object_tree(value, left_out);
  if (value.is_array()) return list_tree(value);
  if (value.is_string()) return html(value.get_ref<const std::string&>());
  return html(to_line(value));
}

std::string filled(std::string_view page, const std::map<std::string_view, std::string>& values) {
  std::string text;
  for (;;) {
    const std::size_t begin = page.find("{{");
    text += page.substr(0, begin);
    if (begin == std::string_view::npos) return text;
    page.remove_prefix(begin + 2);
    const std::size_t end = page.find("}}");
    const auto value = values.find(page.substr(0, end));
    if (value != values.end()) text += value->second;
    page.remove_prefix(end + 2);
  }
}

}  // namespace quietus::cli
