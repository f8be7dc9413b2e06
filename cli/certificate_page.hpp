// A certificate as a page that checks itself in the browser (docs/certificate.md, section 4).
#pragma once

#include <quietus/certificate.hpp>

#include <string>

namespace quietus::cli {

// The page of the certificate `file`, which was read as `certificate`. `issuer_key_pem` is the key
// that it brings along; empty: none, and the reader has to give it. The page trusts neither.
std::string certificate_page(std::string_view file, const UnverifiedCertificate& certificate,
                             std::string_view issuer_key_pem);

}  // namespace quietus::cli
