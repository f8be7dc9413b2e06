// cert import: another instance's certificate as its receipt.
#include "attach.hpp"
#include "input_file.hpp"
#include "printable_text.hpp"

#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

struct ImportCertificate {
  std::string file;
};

std::string scopes_text(const CertificateImport& imported) {
  return imported.scopes == 0 ? "that whole instance" : counted(imported.scopes, "scope");
}

Result<ExitCode> run_import_certificate(const ImportCertificate& command, Invocation& invocation) {
  QUIETUS_TRY_AS(const Bytes file, read_file(command.file, kCertificateLimit));
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(const CertificateImport imported,
                 vault.backups().import_certificate(as_text(file)).within(command.file));
  if (invocation.terminal.json) {
    const Json scopes = imported.scopes == 0 ? Json(nullptr) : Json(imported.scopes);
    invocation.terminal.document({{"instance", imported.instance_id},
                                  {"certificate_id", imported.certificate_id},
                                  {"scopes", scopes},
                                  {"named", imported.named},
                                  {"certificates", imported.certificates}});
    return ExitCode::kDone;
  }
  std::vector<std::vector<std::string>> rows = {{"instance", imported.instance_id},
                                                {"certificate", imported.certificate_id},
                                                {"destroyed", scopes_text(imported)}};
  for (const std::string& id : imported.named) rows.push_back({"names too", "instance " + id});
  for (const std::string& id : imported.certificates)
    rows.push_back({"written anew", "certificate " + id});
  invocation.terminal.print(columns(rows));
  if (!imported.named.empty())
    Terminal::hint(
        "instances that were not known here may hold the keys: import their certificates where "
        "they are known, then the certificate that comes of it here");
  return ExitCode::kDone;
}

}  // namespace

void attach_receipt_command(CLI::App& group, Action& chosen) {
  auto imported = std::make_shared<ImportCertificate>();
  CLI::App& import = *group.add_subcommand(
      "import", "Take one of another instance of this vault as the receipt of that instance");
  import.add_option("FILE", imported->file, "The other instance's certificate")->required();
  on_chosen(import, chosen, std::move(imported), run_import_certificate);
}

}  // namespace quietus::cli
