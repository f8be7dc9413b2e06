// Certificates.
#include <array>

#include "functions.hpp"

namespace quietus::node {
namespace {

constexpr std::size_t kUsual = 16384;  // most certificates fit at once

napi_value certificates(napi_env env, const Arguments& in) {
  struct Info {
    std::string id;
    std::string status;
    std::int64_t issued_ms;
  };
  struct Call {
    quietus_vault vault;
    std::vector<Info> found;
  };
  return promise(
      env, Call{in.vault(0), {}},
      [](Call& call) {
        return quietus_certificates(
            call.vault,
            [](void* context, const char* id, const char* status, std::int64_t issued_ms) {
              static_cast<std::vector<Info>*>(context)->push_back({id, status, issued_ms});
              return 0;
            },
            &call.found);
      },
      [](napi_env to, const Call& call) {
        return array(to, call.found, [](napi_env each, const Info& info) {
          return Object(each)
              .set("id", text(each, info.id))
              .set("status", text(each, info.status))
              .set("issued", time(each, info.issued_ms))
              .value();
        });
      });
}

struct Document {
  quietus_vault vault;
  std::string of;
  Secret found;
};

template <int (*kFunction)(quietus_vault, const char*, char*, std::size_t, std::size_t*)>
napi_value document(napi_env env, const Arguments& in) {
  return promise(
      env, Document{in.vault(0), in.text(1), {}},
      [](Document& call) {
        return write_all(kUsual, call.found,
                         [&](std::uint8_t* into, std::size_t capacity, std::size_t* size) {
                           return kFunction(call.vault, call.of.c_str(),
                                            reinterpret_cast<char*>(into), capacity, size);
                         });
      },
      [](napi_env to, const Document& call) { return buffer(to, call.found); });
}

napi_value issuing_key(napi_env env, const Arguments& in) {
  return promise(
      env, Document{in.vault(0), {}, {}},
      [](Document& call) {
        return write_all(kUsual, call.found,
                         [&](std::uint8_t* into, std::size_t capacity, std::size_t* size) {
                           return quietus_issuing_key_pem(call.vault, reinterpret_cast<char*>(into),
                                                          capacity, size);
                         });
      },
      [](napi_env to, const Document& call) {
        return text(to, {reinterpret_cast<const char*>(call.found.data()), call.found.size()});
      });
}

struct Verified {
  std::string certificate_id;
  std::string vault_id;
  std::string status;
  std::string decided_by;
  std::string reason;
  std::int64_t slot_destroyed_ms = 0;
  std::vector<std::uint64_t> scope_ids;
};

int see_verified(void* context, const quietus_verified* shown) {
  *static_cast<Verified*>(context) = {
      shown->certificate_id,
      shown->vault_id,
      shown->status,
      shown->decided_by,
      shown->reason,
      shown->slot_destroyed_ms,
      {shown->scope_ids, shown->scope_ids + shown->scope_count},
  };
  return 0;
}

napi_value verify(napi_env env, const Arguments& in) {
  struct Call {
    Secret file;
    std::string issuer_pem;
    Verified found;
  };
  return promise(
      env, Call{in.bytes(0), in.text(1), {}},
      [](Call& call) {
        return quietus_verify_certificate(call.file.data(), call.file.size(),
                                          call.issuer_pem.c_str(), see_verified, &call.found);
      },
      [](napi_env to, const Call& call) {
        const Verified& found = call.found;
        return Object(to)
            .set("certificateId", text(to, found.certificate_id))
            .set("vaultId", text(to, found.vault_id))
            .set("status", text(to, found.status))
            .set("decidedBy", text(to, found.decided_by))
            .set("reason", text(to, found.reason))
            .set("slotDestroyed", time(to, found.slot_destroyed_ms))
            .set("scopeIds", array(to, found.scope_ids, id))
            .value();
      });
}

constexpr std::array kEvidenceFunctions{
    Function{"certificates", certificates},
    Function{"certificate", document<quietus_certificate>},
    Function{"certificateOf", document<quietus_certificate_of>},
    Function{"issuingKeyPem", issuing_key},
    Function{"verifyCertificate", verify},
};

}  // namespace

std::span<const Function> evidence_functions() {
  return kEvidenceFunctions;
}

}  // namespace quietus::node
