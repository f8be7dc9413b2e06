// usage: cxx20 FOLDER. The life of one record in C++20. Built without exceptions and run-time
// types, too: nothing here needs them.
#include <quietus/certificate.hpp>
#include <quietus/vault.hpp>

#include <cstdio>

namespace {

quietus::Result<bool> live(const std::filesystem::path& folder) {
  const quietus::Unlock unlock = quietus::Unlock::key_file(folder / "key");
  quietus::CreateOptions options;
  options.root_folder = folder / "roots";
  options.accept_unknown_medium = true;

  QUIETUS_TRY(quietus::new_key_file(folder / "key"));
  QUIETUS_TRY_AS(quietus::Vault vault, quietus::Vault::create(folder / "vault", unlock, options));
  QUIETUS_TRY_AS(quietus::Scope scope, vault.create_scope("acme"));
  QUIETUS_TRY(scope.put("greeting", quietus::as_bytes("hello")));
  QUIETUS_TRY_AS(const auto read, scope.get("greeting"));
  if (!read || quietus::as_text(*read) != "hello") return false;

  const std::string scopes[] = {"acme"};
  QUIETUS_TRY_AS(const quietus::ErasureReport report, vault.erase(scopes, "contract-ended"));
  const auto gone = scope.get("greeting");
  if (gone.ok() || gone.error().code() != quietus::ErrorCode::kErased) return false;
  QUIETUS_TRY_AS(const std::string pem, vault.issuing_key_pem());
  QUIETUS_TRY_AS(const quietus::VerifiedCertificate certificate,
                 quietus::verify_certificate(quietus::as_bytes(report.certificate), pem));
  return certificate.reason() == "contract-ended";
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const auto done = live(arguments[1]);
  if (!done) {
    std::fprintf(stderr, "%s: %s\n", quietus::name_of(done.error().code()).data(),
                 done.error().context().c_str());
    return 1;
  }
  if (*done) std::puts("done");
  return *done ? 0 : 1;
}
