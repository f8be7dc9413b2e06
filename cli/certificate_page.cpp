#include "certificate_page.hpp"

#include "html.hpp"
#include "page_assets.hpp"

#include <nlohmann/json.hpp>

namespace quietus::cli {

// The file itself goes in as it is: it is base64url and the four signs of its JSON, none of them
// markup, or it would not have been read as a certificate.
std::string certificate_page(std::string_view file, const UnverifiedCertificate& certificate,
                             std::string_view issuer_key_pem) {
  const PageAssets& assets = page_assets();
  const Json payload = Json::parse(certificate.payload, nullptr, false);
  return filled(assets.certificate,
                {{"script", std::string(assets.script)},
                 {"script-digest", std::string(assets.script_digest)},
                 {"style", std::string(assets.style)},
                 {"style-digest", std::string(assets.style_digest)},
                 {"certificate", std::string(file)},
                 {"file-name", certificate.certificate_id + ".erasure.jws.json"},
                 {"issuer-key", std::string(issuer_key_pem)},
                 {"key-hidden", issuer_key_pem.empty() ? " hidden" : ""},
                 {"unverified", html_tree(payload, "log")},
                 {"tool", "quietus " QUIETUS_VERSION}});
}

}  // namespace quietus::cli
