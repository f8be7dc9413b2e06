// Erasure from a request handler: DELETE /users/NAME of a web backend, and what the person gets.
//
//   erasure_request FOLDER [--accept-unknown-medium]
//
// The answer is an HTTP status, with the certificate when there is one. The certificate is then
// verified as the person would, without the vault, and handed over with what opens it:
// FOLDER/for-anna holds certificate.json, issuer.pem and reveal.json, which is what
// `quietus cert verify certificate.json --key issuer.pem --reveal reveal.json` reads.
#include <quietus/vault.hpp>

#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>

namespace {

namespace fs = std::filesystem;
using quietus::Error;
using quietus::ErrorCode;
using quietus::Result;

// A vault that is made in an empty folder, with its key and its root slots beside it.
Result<quietus::Vault> new_vault(const fs::path& folder, bool accept_unknown_medium) {
  QUIETUS_TRY(quietus::new_key_file(folder / "key"));
  quietus::CreateOptions options;
  options.root_folder = folder / "roots";  // in production: elsewhere, and in no backup
  options.accept_unknown_medium = accept_unknown_medium;
  return quietus::Vault::create(folder / "vault", quietus::Unlock::key_file(folder / "key"),
                                options);
}

struct Response {
  int status = 500;
  std::string text;
  std::optional<quietus::ErasureReport> report;  // of 200
};

Response response_to(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kInvalidArgument: return {400, "that is no user's name", {}};
    case ErrorCode::kNotFound: return {404, "no such user", {}};
    case ErrorCode::kErased: return {410, "erased before", {}};
    case ErrorCode::kHeld: return {409, "a legal hold keeps the data; we will tell you why", {}};
    // Begun and recorded. It finishes at Vault::resume(), which a thread calls now and then, and
    // the certificate is Vault::certificate_of() each path then.
    case ErrorCode::kErasureIncomplete: return {202, "begun; the certificate will follow", {}};
    case ErrorCode::kBusy:
    case ErrorCode::kFull:
    case ErrorCode::kUnavailable: return {503, "try again later", {}};
    default: break;
  }
  // For the log of the server; it names no scope, no record and no content.
  std::cerr << "erasure: " << name_of(error.code()) << ": " << error.context() << "\n";
  return {500, "nothing was erased", {}};
}

// Erases everything of the user, in every class of the tenant. When it answers 200 the keys are
// destroyed and no process holds them any more.
Response handle_delete(quietus::Vault& vault, const std::string& user) {
  const auto found = vault.subject("shop", user);
  if (!found) return response_to(found.error());
  if (found->unreadable > 0) return {500, "some data cannot be read; an operator must look", {}};
  if (found->paths.empty()) {
    return response_to(Error(found->erased > 0 ? ErrorCode::kErased : ErrorCode::kNotFound, ""));
  }
  auto report = vault.erase(found->paths, "deletion-request");
  if (!report) return response_to(report.error());
  return {200, "certificate " + report->certificate_id, *std::move(report)};
}

// What the person, or anybody who is shown the files, can find out: no vault and no network.
Result<void> verify_offline(const quietus::ErasureReport& report, const std::string& issuer_pem,
                            const std::string& log_vkey) {
  quietus::CertificateExpectations expected;
  expected.log_vkey = log_vkey;
  QUIETUS_TRY_AS(
      const auto certificate,
      quietus::verify_certificate(quietus::as_bytes(report.certificate), issuer_pem, expected));
  std::cout << "verified: status " << name_of(certificate.status()) << ", reason "
            << certificate.reason() << ", " << certificate.amount().records << " records\n";
  for (const auto& subject : report.subjects) {
    QUIETUS_TRY(quietus::check_subject(certificate, subject));
    std::cout << "it is about " << subject.path << "\n";
  }
  return {};
}

// The salts, in the form that `quietus cert verify --reveal` reads. Whoever has them can show whose
// data it was, so they go to the person and nowhere else.
std::string reveal_json(const quietus::ErasureReport& report) {
  std::ostringstream text;
  text << R"({"certificate_id": ")" << report.certificate_id << R"(", "subjects": [)";
  for (const auto& subject : report.subjects) {
    // Names of users of this shop are letters and digits; others would have to be escaped.
    text << (&subject == report.subjects.data() ? "" : ", ") << R"({"scope_id": ")" << std::hex
         << std::setw(16) << std::setfill('0') << subject.scope_id << R"(", "path": ")"
         << subject.path << R"(", "salt": ")" << subject.salt << R"("})";
  }
  text << "]}\n";
  return text.str();
}

Result<void> hand_over(const fs::path& folder, const quietus::ErasureReport& report,
                       const std::string& issuer_pem) {
  std::error_code failed;
  fs::create_directory(folder, failed);
  if (failed) return Error(ErrorCode::kIo, "the folder cannot be made");
  const std::pair<const char*, std::string> files[] = {{"certificate.json", report.certificate},
                                                       {"issuer.pem", issuer_pem},
                                                       {"reveal.json", reveal_json(report)}};
  for (const auto& [name, text] : files) {
    std::ofstream file(folder / name, std::ios::binary);
    if (!(file << text).flush()) return Error(ErrorCode::kIo, "a file cannot be written");
  }
  return {};
}

Result<void> run(const fs::path& folder, bool accept_unknown_medium) {
  QUIETUS_TRY_AS(auto vault, new_vault(folder, accept_unknown_medium));
  QUIETUS_TRY(vault.create_scope("shop"));
  for (const std::string data_class : {"shop/customer-data", "shop/marketing"}) {
    QUIETUS_TRY(vault.create_scope(data_class));
    for (const char* user : {"/anna", "/bert"}) {
      QUIETUS_TRY_AS(auto scope, vault.create_scope(data_class + user));
      QUIETUS_TRY(scope.put("record.json", quietus::as_bytes("{}")));
    }
  }
  QUIETUS_TRY(vault.lifecycle().place_hold("shop/customer-data/bert", "litigation"));

  // What a verifier pins, published before anything is erased.
  QUIETUS_TRY_AS(const auto issuer_pem, vault.issuing_key_pem());
  QUIETUS_TRY_AS(const auto log_vkey, vault.log_verifier_key());

  for (const char* user : {"anna", "anna", "bert", "carl", "a/b"}) {
    const auto response = handle_delete(vault, user);
    std::cout << "DELETE /users/" << user << ": " << response.status << " " << response.text
              << "\n";
    if (!response.report) continue;
    QUIETUS_TRY(verify_offline(*response.report, issuer_pem, log_vkey));
    QUIETUS_TRY(hand_over(folder / "for-anna", *response.report, issuer_pem));
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const bool accept = argc == 3 && std::string_view(argv[2]) == "--accept-unknown-medium";
  const auto done = argc == 2 || accept
                        ? run(argv[1], accept)
                        : Error(ErrorCode::kInvalidArgument,
                                "usage: erasure_request FOLDER [--accept-unknown-medium]");
  if (!done) std::cerr << name_of(done.error().code()) << ": " << done.error().context() << "\n";
  return done ? 0 : 1;
}
