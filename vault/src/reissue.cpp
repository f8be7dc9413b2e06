#include "reissue.hpp"

#include "base/text_encoding.hpp"
#include "keys/certificate_copies.hpp"

namespace quietus {
namespace {

constexpr std::size_t kReissuedAtOnce = 20;  // certificates, in one transaction

// The next certificates, page by page; how many were looked at.
Result<std::size_t> reissue_page(VaultCore& core, CertificateId& from,
                                 std::vector<std::string>& issued) {
  std::vector<CertificateId> made;
  std::size_t looked_at = 0;
  CertificateId next = from;
  QUIETUS_TRY(core.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
    made.clear();
    const RowSeal seal = scopes.seal();
    QUIETUS_TRY_AS(const auto page, waiting_certificates(writer, seal, from, kReissuedAtOnce));
    looked_at = page.size();
    for (const CertificateId& id : page) {
      const Reissue reissue{id, log_origin(core.header), tool_version(),
                            core.environment.clock.now()};
      QUIETUS_TRY_AS(const auto by, reissue_certificate(writer, seal, reissue));
      if (by) made.push_back(*by);
      next = id;
    }
    return {};
  }));
  from = next;
  for (auto byte = from.rbegin(); byte != from.rend() && ++*byte == 0; ++byte) {
  }
  for (const CertificateId& id : made) issued.push_back(to_hex(id));
  return looked_at;
}

}  // namespace

Result<void> reissue_certificates(VaultCore& core, std::vector<std::string>& issued) {
  CertificateId from{};
  while (true) {
    QUIETUS_TRY_AS(const std::size_t looked_at, reissue_page(core, from, issued));
    if (looked_at < kReissuedAtOnce) return {};
  }
}

}  // namespace quietus
