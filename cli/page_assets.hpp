// The files of cli/page, which the build puts into the program.
#pragma once

#include <string_view>

namespace quietus::cli {

extern const std::string_view kPageScript;
extern const std::string_view kPageScriptDigest;  // "sha256-…", as a Content-Security-Policy has it
extern const std::string_view kPageStyle;
extern const std::string_view kPageStyleDigest;
// Templates: {{name}} stands for a value.
extern const std::string_view kCertificatePage;
extern const std::string_view kReportPage;

}  // namespace quietus::cli
