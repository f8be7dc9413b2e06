// The C interface: certificates.
#include "c_guard.hpp"

using namespace quietus;
using namespace quietus::c;

int quietus_certificates(quietus_vault vault, quietus_certificate_visit visit, void* context) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY(not_null(reinterpret_cast<const void*>(visit), "the callback"));
    QUIETUS_TRY_AS(const auto listed, held->certificates());
    for (const CertificateInfo& one : listed)
      if (visit(context, one.id.c_str(), one.status.c_str(), one.issued_unix_ms) != 0)
        return QUIETUS_STOPPED;
    return QUIETUS_OK;
  });
}

int quietus_certificate(quietus_vault vault, const char* id, char* buffer, size_t capacity,
                        size_t* size) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto wanted, text(id, "id"));
    QUIETUS_TRY_AS(const std::string document, held->certificate(wanted));
    return give_text(document, buffer, capacity, size);
  });
}

int quietus_certificate_of(quietus_vault vault, const char* scope, char* buffer, size_t capacity,
                           size_t* size) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto wanted, text(scope, "the scope"));
    QUIETUS_TRY_AS(const std::string document, held->certificate_of(wanted));
    return give_text(document, buffer, capacity, size);
  });
}

int quietus_issuing_key_pem(quietus_vault vault, char* buffer, size_t capacity, size_t* size) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const std::string pem, held->issuing_key_pem());
    return give_text(pem, buffer, capacity, size);
  });
}

int quietus_verify_certificate(const void* file, size_t size, const char* issuer_pem,
                               quietus_verified_visit visit, void* context) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const ByteView document, bytes(file, size));
    QUIETUS_TRY_AS(const auto pem, text(issuer_pem, "the issuer's key"));
    QUIETUS_TRY_AS(const VerifiedCertificate certificate, verify_certificate(document, pem));
    if (visit == nullptr) return QUIETUS_OK;
    quietus_verified verified{};
    verified.size = sizeof verified;
    verified.certificate_id = certificate.certificate_id().c_str();
    verified.vault_id = certificate.vault_id().c_str();
    verified.status = name_of(certificate.status()).data();
    verified.decided_by = certificate.decision().by.c_str();
    verified.reason = certificate.reason().c_str();
    verified.slot_destroyed_ms = certificate.times().slot_destroyed_unix_ms;
    verified.scope_ids = certificate.scope_ids().data();
    verified.scope_count = certificate.scope_ids().size();
    return visit(context, &verified) == 0 ? QUIETUS_OK : QUIETUS_STOPPED;
  });
}
