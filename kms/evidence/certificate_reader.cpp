// The public reading of a certificate that is not verified here.
#include <quietus/certificate.hpp>

#include "evidence/certificate.hpp"
#include "evidence/jws.hpp"
#include "evidence/strict_json.hpp"

namespace quietus {
namespace {

Error no_certificate(const std::string& reason) {
  return {ErrorCode::kUnverified, "not an erasure certificate: " + reason};
}

}  // namespace

Result<UnverifiedCertificate> read_unverified_certificate(ByteView file) {
  Result<UnverifiedJws> jws = read_jws(file, kCertificateType);
  if (!jws) return no_certificate(jws.error().context());
  const std::string_view payload = as_text(jws->payload);
  const Result<Json> json = parse_strict_json(payload);
  if (!json) return no_certificate("payload: " + json.error().context());
  std::string fault;
  JsonFields fields(*json, fault);
  const std::string type = fields.text("type");
  const auto id = fields.hex<sizeof(CertificateId)>("certificate_id");
  if (!fault.empty() || type != kPayloadType)
    return no_certificate("its payload is of another type");
  if (canonical_text(*json) != payload)
    return no_certificate("its payload is not in canonical form");
  return UnverifiedCertificate{std::string(payload), to_hex(id), std::move(jws->kid)};
}

}  // namespace quietus
