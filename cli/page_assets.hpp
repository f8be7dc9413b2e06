// The files of cli/page, which the build puts into the program.
#pragma once

#include <string_view>

namespace quietus::cli {

struct PageAssets {
  std::string_view script;
  std::string_view script_digest;  // "sha256-…", as a Content-Security-Policy has it
  std::string_view style;
  std::string_view style_digest;
  // Templates: {{name}} stands for a value.
  std::string_view certificate;
  std::string_view report;
};

const PageAssets& page_assets() noexcept;

}  // namespace quietus::cli
