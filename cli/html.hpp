// Text on its way into an HTML document.
#pragma once

#include "json_output.hpp"

#include <map>
#include <string>
#include <string_view>

namespace quietus::cli {

// `text` with everything escaped that a browser would obey instead of show; as printable() does it,
// and the characters of markup. For content and for quoted attributes.
std::string html(std::string_view text);

// A JSON value as nested lists. Members named in `left_out` are not shown.
std::string html_tree(const Json& value, std::string_view left_out = {});

// `page` with each {{name}} replaced by its value, which is HTML. Values are not read again. A name
// without a value stays empty.
std::string filled(std::string_view page, const std::map<std::string_view, std::string>& values);

}  // namespace quietus::cli
