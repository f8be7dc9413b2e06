// cert: list, show, verify, render, key; the rest of it is in receipt_command.cpp and
// timestamp_commands.cpp.
#include "attach.hpp"
#include "certificate_page.hpp"
#include "input_file.hpp"
#include "output_file.hpp"
#include "printable_text.hpp"
#include "timestamp_commands.hpp"
#include "trust_file.hpp"

#include <quietus/certificate.hpp>

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

namespace quietus::cli {
namespace {

constexpr std::size_t kKeyLimit = std::size_t{64} * 1024;  // bytes
constexpr std::size_t kProofLimit = std::size_t{1} << 20;
constexpr std::size_t kRevealLimit = std::size_t{4} << 20;

struct ShowCommand {
  std::string id;
  bool reveal = false;
};
struct VerifyCertificate {
  std::string file;
  std::string key;
  std::string trust;
  std::string proof;
  std::string reveal;
  TimestampOptions timestamp;
};
struct RenderCommand {
  std::string file;
  std::string key;
  std::string output;
};
struct IssuerKey {
  bool jwk = false;
};

// A text that ends in a line end, as files do.
std::string whole_line(std::string text) {
  if (!text.ends_with('\n')) text += '\n';
  return text;
}

Result<ExitCode> run_certificate_list(const NoOptions&, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const std::vector<CertificateInfo> certificates, vault.certificates());
  Json list = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const CertificateInfo& info : certificates) {
    list.push_back({{"id", info.id},
                    {"erasure_id", info.erasure_id},
                    {"issued", timestamp(info.issued_unix_ms)},
                    {"status", info.status}});
    rows.push_back({info.id, timestamp(info.issued_unix_ms), info.status, info.erasure_id});
  }
  if (invocation.terminal.json)
    invocation.terminal.document({{"certificates", std::move(list)}});
  else
    invocation.terminal.print(columns(rows));
  return ExitCode::kDone;
}

// What shows whose scopes they were to who knows their paths: always JSON, because it is what `cert
// verify --reveal` reads.
Result<ExitCode> run_reveal(Vault& vault, const std::string& id, Terminal& terminal) {
  QUIETUS_TRY_AS(const auto subjects, vault.reveal(id).within(id));
  if (subjects.empty())
    return Error(ErrorCode::kErased,
                 "nothing is left that opens this certificate's subjects: their tenant was erased, "
                 "and its salt went out with the certificate only");
  Terminal::hint("put in the path that each scope had: it died with the scope");
  terminal.document({{"certificate_id", id}, {"subjects", to_json(subjects)}});
  return ExitCode::kDone;
}

bool is_certificate_id(std::string_view text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// By its id, or that of an erased scope.
Result<std::string> find_certificate(Vault& vault, std::string_view wanted) {
  if (!is_certificate_id(wanted)) return vault.certificate_of(wanted);
  auto certificate = vault.certificate(wanted);
  if (certificate || certificate.error().code() != ErrorCode::kNotFound) return certificate;
  auto of_scope = vault.certificate_of(wanted);
  return of_scope ? std::move(of_scope) : std::move(certificate);
}

// The signed document itself, which is JSON: the same with and without --json.
Result<ExitCode> run_show(const ShowCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  if (command.reveal) return run_reveal(vault, command.id, invocation.terminal);
  QUIETUS_TRY_AS(std::string certificate, find_certificate(vault, command.id).within(command.id));
  invocation.terminal.verbatim(whole_line(std::move(certificate)));
  return ExitCode::kDone;
}

// ---- verify -----------------------------------------------------------------------------------

using Subjects = std::vector<SubjectOpening>;

// 16 hex digits.
std::optional<std::uint64_t> parse_hex16(std::string_view text) {
  std::uint64_t id = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), id, 16);
  if (text.size() != 16 || failed != std::errc() || end != text.data() + text.size())
    return std::nullopt;
  return id;
}

std::optional<SubjectOpening> parse_subject(const Json& item) {
  const auto text = [&](const char* name) {
    const auto found = item.find(name);
    return found != item.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (!item.is_object()) return std::nullopt;
  const auto id = parse_hex16(text("scope_id"));
  if (!id || text("path").empty() || text("salt").empty()) return std::nullopt;
  return SubjectOpening{*id, text("path"), text("salt")};
}

// What `cert show --reveal` prints; the --json of `erase` has the same.
Result<Subjects> read_subjects(const std::string& path) {
  QUIETUS_TRY_AS(const Bytes text, read_file(path, kRevealLimit));
  const Json document = Json::parse(text.begin(), text.end(), nullptr, false);
  const auto malformed = [&] {
    return Error(
        ErrorCode::kInvalidArgument,
        path + ": is not what `quietus cert show ID --reveal` prints, with each path put in");
  };
  if (!document.is_object() || !document.contains("subjects")) return malformed();
  Subjects subjects;
  for (const Json& item : document["subjects"]) {
    auto subject = parse_subject(item);
    if (!subject) return malformed();
    subjects.push_back(*std::move(subject));
  }
  if (subjects.empty()) return malformed();
  return subjects;
}

// The subjects that were given, each found to be of this certificate.
Result<Subjects> revealed(const VerifyCertificate& command,
                          const VerifiedCertificate& certificate) {
  if (command.reveal.empty()) return Subjects();
  QUIETUS_TRY_AS(Subjects subjects, read_subjects(command.reveal));
  for (const SubjectOpening& subject : subjects)
    QUIETUS_TRY(check_subject(certificate, subject).within(printable(subject.path)));
  return subjects;
}

// null stands for what could not be counted.
Json number_or_null(const CertifiedAmount& amount, std::uint64_t number) {
  return amount.counted ? Json(number) : Json(nullptr);
}

std::string amount_text(const CertifiedAmount& amount) {
  if (!amount.counted) return "not counted";
  return counted(amount.records, "record") + ", " + byte_size(amount.bytes) + ", " +
         counted(amount.scopes_below, "scope") + " below";
}

Json decision_json(const CertifiedDecision& decision) {
  if (decision.request_id.empty()) return nullptr;
  return {{"request_id", decision.request_id},
          {"kind", decision.kind},
          {"plan_sha256", decision.plan_sha256},
          {"approvals", decision.approvals}};
}

std::string decision_text(const CertifiedDecision& decision) {
  if (decision.request_id.empty()) return decision.by;
  return decision.by + ": " + counted(decision.approvals, "approval") + " of request " +
         decision.request_id + " (" + decision.kind + "), plan " + decision.plan_sha256;
}

Json verdict_json(const VerifiedCertificate& certificate, const Subjects& subjects) {
  Json scopes = Json::array();
  for (const std::uint64_t id : certificate.scope_ids()) scopes.push_back(hex16(id));
  const CertifiedAmount& amount = certificate.amount();
  const CertificateTimes& times = certificate.times();
  const CertificateReport& report = certificate.report();
  return {{"valid", true},
          {"certificate_id", certificate.certificate_id()},
          {"vault_id", certificate.vault_id()},
          {"erasure_id", certificate.erasure_id()},
          {"status", name_of(certificate.status())},
          {"phase", name_of(certificate.phase())},
          {"reason", certificate.reason()},
          {"decided_by", certificate.decision().by},
          {"request", decision_json(certificate.decision())},
          {"scope_ids", std::move(scopes)},
          {"subjects", to_json(subjects)},
          {"scopes_below", number_or_null(amount, amount.scopes_below)},
          {"records", number_or_null(amount, amount.records)},
          {"bytes", number_or_null(amount, amount.bytes)},
          {"supersedes", certificate.supersedes()},
          {"begun", timestamp(times.begun_unix_ms)},
          {"keys_unreachable", timestamp(times.keys_unreachable_unix_ms)},
          {"slot_destroyed", timestamp(times.slot_destroyed_unix_ms)},
          {"issued", timestamp(times.issued_unix_ms)},
          {"issuer_kid", certificate.issuer_kid()},
          {"log_verifier_key", certificate.log_vkey()},
          {"log_key_pinned", certificate.log_key_pinned()},
          {"witnesses", to_json(certificate.witnesses())},
          {"timestamp", to_json(certificate.timestamp())},
          {"checked", report.checked},
          {"not_checked", report.not_checked},
          {"claims", report.claims},
          {"not_claimed", report.not_claimed}};
}

std::string paragraph(std::string_view heading, const std::vector<std::string>& lines) {
  if (lines.empty()) return {};
  std::string text = std::string(heading) + "\n";
  for (const std::string& line : lines) text += "  " + printable(line) + "\n";
  return text;
}

std::string verdict_text(const VerifiedCertificate& certificate, const Subjects& subjects) {
  const CertificateTimes& times = certificate.times();
  const CertificateReport& report = certificate.report();
  std::string scopes;
  for (const std::uint64_t id : certificate.scope_ids())
    scopes += (scopes.empty() ? "" : " ") + hex16(id);
  std::vector<std::vector<std::string>> opened;
  for (const SubjectOpening& subject : subjects)
    opened.push_back(
        {"subject", printable(subject.path) + "  is scope " + hex16(subject.scope_id)});
  return columns({{"valid", std::string(name_of(certificate.status())) + ", " +
                                std::string(name_of(certificate.phase()))},
                  {"certificate", certificate.certificate_id()},
                  {"vault", certificate.vault_id()},
                  {"erasure", certificate.erasure_id()},
                  {"scopes", scopes},
                  {"unreadable", amount_text(certificate.amount())},
                  {"reason", certificate.reason()},
                  {"decided by", decision_text(certificate.decision())},
                  {"destroyed", timestamp(times.slot_destroyed_unix_ms)},
                  {"issued", timestamp(times.issued_unix_ms)},
                  {"issuer", certificate.issuer_kid()}}) +
         columns(opened) + paragraph("checked", report.checked) +
         paragraph("not checked", report.not_checked) +
         paragraph("the issuer states", report.claims) +
         paragraph("not covered", report.not_claimed);
}

Result<VerifiedCertificate> verify_with(const VerifyCertificate& command, ByteView file) {
  if (!command.trust.empty()) {
    QUIETUS_TRY_AS(const Trust trust, read_trust(command.trust));
    if (command.proof.empty()) return verify_certificate(file, trust).within(command.file);
    QUIETUS_TRY_AS(const Bytes proof, read_file(command.proof, kProofLimit));
    return verify_certificate(file, trust, as_text(proof)).within(command.file);
  }
  QUIETUS_TRY_AS(const Bytes key, read_file(command.key, kKeyLimit));
  return verify_certificate(file, as_text(key)).within(command.file);
}

Result<ExitCode> run_verify_certificate(const VerifyCertificate& command, Invocation& invocation) {
  if (command.key.empty() && command.trust.empty())
    return Error(ErrorCode::kInvalidArgument,
                 "give the issuer's public key with --key PEM, or a trust file with --trust FILE; "
                 "the vault's operator gets the key with `quietus cert key` and has to hand it "
                 "over by a way you trust");
  QUIETUS_TRY_AS(const Bytes file, read_file(command.file, kCertificateLimit));
  QUIETUS_TRY_AS(VerifiedCertificate certificate, verify_with(command, file));
  QUIETUS_TRY(add_timestamp(certificate, command.timestamp));
  QUIETUS_TRY_AS(const Subjects subjects, revealed(command, certificate));
  if (invocation.terminal.json)
    invocation.terminal.document(verdict_json(certificate, subjects));
  else
    invocation.terminal.print(verdict_text(certificate, subjects));
  return ExitCode::kDone;
}

// ---- render -----------------------------------------------------------------------------------

// The key that the page is to bring along, in one spelling, once the certificate verified under it.
Result<std::string> embedded_key(const RenderCommand& command, ByteView certificate) {
  if (command.key.empty()) return std::string();
  QUIETUS_TRY_AS(const Bytes pem, read_file(command.key, kKeyLimit));
  QUIETUS_TRY_AS(const std::string jwk, issuer_key_jwk(as_text(pem)).within(command.key));
  QUIETUS_TRY(verify_certificate(certificate, as_text(pem)).within(command.file));
  return issuer_key_pem(jwk);
}

Result<ExitCode> run_render(const RenderCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(const Bytes file, read_file(command.file, kCertificateLimit));
  QUIETUS_TRY_AS(const UnverifiedCertificate certificate,
                 read_unverified_certificate(file).within(command.file));
  QUIETUS_TRY_AS(const std::string key, embedded_key(command, file));
  QUIETUS_TRY_AS(OutputFile page, OutputFile::create(command.output));
  QUIETUS_TRY(page.write(as_bytes(certificate_page(as_text(file), certificate, key))));
  QUIETUS_TRY(page.commit());
  if (invocation.terminal.json)
    invocation.terminal.document({{"certificate_id", certificate.certificate_id},
                                  {"issuer_kid", certificate.issuer_kid},
                                  {"verified", !key.empty()},
                                  {"file", command.output}});
  else
    invocation.terminal.print(columns(
        {{"page", command.output},
         {"certificate", certificate.certificate_id},
         {"issuer", certificate.issuer_kid},
         {"verified", key.empty() ? "no: no --key was given; the page asks its reader for it"
                                  : "under the key given, which the page brings along"}}));
  return ExitCode::kDone;
}

// ---- key --------------------------------------------------------------------------------------

Result<ExitCode> run_key(const IssuerKey& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const std::string pem, vault.issuing_key_pem());
  if (command.jwk) {
    QUIETUS_TRY_AS(std::string jwk, issuer_key_jwk(pem));
    invocation.terminal.verbatim(whole_line(std::move(jwk)));
  } else if (invocation.terminal.json) {
    invocation.terminal.document({{"pem", pem}});
  } else {
    invocation.terminal.verbatim(whole_line(pem));
  }
  return ExitCode::kDone;
}

}  // namespace

void attach_certificate_commands(CLI::App& app, Action& chosen) {
  CLI::App& group = group_of(app, "cert", "Erasure certificates");
  plain_command(group, "list", "All certificates of this vault", chosen, run_certificate_list);

  auto shown = std::make_shared<ShowCommand>();
  CLI::App& show = *group.add_subcommand("show", "Print one, as it was signed");
  show.add_option("ID", shown->id, "The certificate's id, or an erased scope")->required();
  show.add_flag("--reveal", shown->reveal, "Print the salts of its subjects instead, as JSON");
  on_chosen(show, chosen, std::move(shown), run_show);

  auto verified = std::make_shared<VerifyCertificate>();
  CLI::App& verify = *group.add_subcommand("verify", "Verify one; needs no vault and no network");
  verify.add_option("FILE", verified->file, "The certificate")->required();
  auto* key = verify.add_option("--key", verified->key, "The issuer's public key (PEM)");
  auto* trust = verify
                    .add_option("--trust", verified->trust,
                                "The issuer's and the log's key, and witnesses; docs/format.md")
                    ->excludes(key);
  verify
      .add_option("--proof", verified->proof,
                  "What `audit proof` printed: a later checkpoint that witnesses cosigned")
      ->needs(trust);
  add_timestamp_options(verify, verified->timestamp);
  verify.add_option("--reveal", verified->reveal, "Check whose scopes they were, by this file");
  on_chosen(verify, chosen, std::move(verified), run_verify_certificate);

  auto rendered = std::make_shared<RenderCommand>();
  CLI::App& render = *group.add_subcommand(
      "render", "Make a page of one that checks itself in a browser; needs no vault");
  render.add_option("FILE", rendered->file, "The certificate")->required();
  render.add_option("-o", rendered->output, "Where the page goes (HTML)")->required();
  render.add_option("--key", rendered->key,
                    "The issuer's public key (PEM): verify with it, and put it into the page");
  on_chosen(render, chosen, std::move(rendered), run_render);

  attach_receipt_command(group, chosen);
  attach_timestamp_commands(group, chosen);

  auto printed = std::make_shared<IssuerKey>();
  CLI::App& print = *group.add_subcommand("key", "Print the issuing key's public half as PEM");
  print.add_flag("--jwk", printed->jwk, "As a JSON Web Key instead");
  on_chosen(print, chosen, std::move(printed), run_key);
}

}  // namespace quietus::cli
