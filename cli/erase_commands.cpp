// erase, vault destroy: what cannot be undone. Both show what they would do and ask.
#include "attach.hpp"
#include "output_file.hpp"
#include "printable_text.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "subject_option.hpp"

namespace quietus::cli {
namespace {

struct EraseCommand {
  std::vector<std::string> scopes;
  std::string reason;
  std::string certificate;
  bool yes = false;
  bool resume = false;
  bool now = false;
  bool cancel = false;
  std::string subject;
};

constexpr std::string_view kNotCovered =
    "Not covered: exports and other copies made outside this vault. Sizes, times and structure "
    "stay\n"
    "visible to who holds a copy.\n";

// How many scopes a plan names before it only counts.
constexpr std::size_t kNamedInPlan = 20;

std::string plan_lines(const std::vector<ScopeInfo>& scopes) {
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < std::min(scopes.size(), kNamedInPlan); ++i)
    rows.push_back({"  " + scopes[i].path, scopes[i].data_class, hex16(scopes[i].id)});
  std::string text = columns(rows);
  if (scopes.size() > kNamedInPlan)
    text += "  and " + counted(scopes.size() - kNamedInPlan, "more scope") + "\n";
  return text;
}

std::string amount_text(const ErasePlan& plan) {
  if (!plan.counted) return "an amount that cannot be counted";
  return counted(plan.records, "record") + ", " + byte_size(plan.bytes);
}

std::string plan_text(const ErasePlan& plan) {
  std::string text = "This destroys, for ever, the keys of\n" + plan_lines(plan.targets);
  if (!plan.also.empty())
    text += "and of what lies below or was derived from it\n" + plan_lines(plan.also);
  text += counted(plan.keys_destroyed, "key") + " in all; " + amount_text(plan) +
          " of ciphertext. No backup, no older copy of the vault and no key file brings the data "
          "back.\n";
  if (plan.snapshots_clear_unix_ms != 0)
    text +=
        "Key snapshots that were made before hold them too: a recovery site can open those until " +
        timestamp(plan.snapshots_clear_unix_ms) + ".\n";
  return text.append(kNotCovered);
}

// What the person is asked to type.
std::string confirmation_of(const std::vector<std::string>& scopes) {
  return scopes.size() == 1 ? scopes.front() : "erase " + std::to_string(scopes.size()) + " scopes";
}

// A certificate that came after the keys were gone, and could not be written where it was wanted.
Error unwritten(const Error& error, const ErasureReport& report) {
  return {error.code(),
          "the erasure is done, but its certificate was not written: " + error.context() +
              "; `quietus cert show " + report.certificate_id + "` prints it"};
}

Result<void> write_certificate(std::optional<OutputFile>& file, const ErasureReport& report) {
  if (!file) return {};
  Result<void> written = file->write(as_bytes(report.certificate));
  if (written) written = file->commit();
  if (!written) return unwritten(written.error(), report);
  return {};
}

// The file is made before anything is destroyed, so that a wrong path is found in time.
Result<std::optional<OutputFile>> prepare_certificate(const std::string& path) {
  if (path.empty()) return std::optional<OutputFile>();
  QUIETUS_TRY_AS(OutputFile file, OutputFile::create(path));
  return std::optional<OutputFile>(std::move(file));
}

Json json_of(const std::vector<ErasureAppointment>& waiting);

Json erased_json(const ErasePlan& plan, const ErasureReport& report, const EraseCommand& command,
                 const std::vector<ErasureAppointment>& waiting) {
  Json document = {{"erased", cli::to_json(plan.targets)},
                   {"also", cli::to_json(plan.also)},
                   {"scheduled", json_of(waiting)},
                   {"keys_destroyed", plan.keys_destroyed},
                   {"snapshots_clear", plan.snapshots_clear_unix_ms == 0
                                           ? Json(nullptr)
                                           : Json(timestamp(plan.snapshots_clear_unix_ms))},
                   {"records", plan.counted ? Json(plan.records) : Json(nullptr)},
                   {"bytes", plan.counted ? Json(plan.bytes) : Json(nullptr)}};
  document.update(cli::to_json(report));
  document["certificate_file"] =
      command.certificate.empty() ? Json(nullptr) : Json(command.certificate);
  return document;
}

void print_erased(Terminal& terminal, const ErasePlan& plan, const ErasureReport& report,
                  const EraseCommand& command, const std::vector<ErasureAppointment>& waiting) {
  if (terminal.json) return terminal.document(erased_json(plan, report, command, waiting));
  std::vector<std::vector<std::string>> rows = {
      {"erased", counted(plan.targets.size() + plan.also.size(), "scope") + ", " +
                     counted(plan.keys_destroyed, "key")},
      {"erasure", report.erasure_id},
      {"unreadable", amount_text(plan)},
      {"certificate",
       report.certificate_id +
           (command.certificate.empty() ? std::string() : "  " + command.certificate)},
      {"processes", counted(report.holders_acknowledged, "acknowledgement") + ", " +
                        grouped(report.holders_ended) + " ended"}};
  for (const ErasureAppointment& one : waiting)
    rows.push_back({"scheduled", printable(one.path) + "  " + timestamp(one.when_unix_ms)});
  for (const SubjectOpening& subject : report.subjects)
    rows.push_back({"opens", printable(subject.path) + "  salt " + subject.salt});
  terminal.print(columns(rows));
}

Result<ExitCode> resume_erasures(Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(const std::vector<ErasureReport> finished, vault.resume());
  Json list = Json::array();
  std::string text;
  for (const ErasureReport& report : finished) {
    list.push_back(cli::to_json(report));
    text += "finished " + report.erasure_id +
            (report.certificate_id.empty() ? "  a certificate for each scope: cert show SCOPE\n"
                                           : "  certificate " + report.certificate_id + "\n");
  }
  if (invocation.terminal.json)
    invocation.terminal.document({{"finished", std::move(list)}});
  else
    invocation.terminal.print(text.empty() ? "no erasure is pending\n" : text);
  return ExitCode::kDone;
}

// ---- grace: what is erased at once, and what waits
// -----------------------------------------------

struct Appointments {
  std::vector<std::string> at_once;
  std::vector<ErasureAppointment> waiting;

  std::vector<std::string> waiting_paths() const {
    std::vector<std::string> paths;
    paths.reserve(waiting.size());
    for (const ErasureAppointment& one : waiting) paths.push_back(one.path);
    return paths;
  }
};

Result<Appointments> appointments_of(Vault& vault, const EraseCommand& command) {
  Appointments found;
  if (command.now) {
    found.at_once = command.scopes;
    return found;
  }
  QUIETUS_TRY_AS(std::vector<ErasureAppointment> all,
                 vault.retention().appointments(command.scopes));
  for (ErasureAppointment& one : all) {
    if (one.grace.front() == '0')
      found.at_once.push_back(std::move(one.path));
    else
      found.waiting.push_back(std::move(one));
  }
  return found;
}

std::string waiting_text(const std::vector<ErasureAppointment>& waiting) {
  if (waiting.empty()) return {};
  std::vector<std::vector<std::string>> rows;
  rows.reserve(waiting.size());
  for (const ErasureAppointment& one : waiting)
    rows.push_back({"  " + one.path, timestamp(one.when_unix_ms), "grace " + one.grace});
  return "Restricted now, and destroyed by the sweep on\n" + columns(rows) +
         "`quietus erase --cancel SCOPE` takes that back until then; --now does not wait.\n";
}

Json json_of(const std::vector<ErasureAppointment>& waiting) {
  Json list = Json::array();
  for (const ErasureAppointment& one : waiting)
    list.push_back(
        {{"scope", one.path}, {"when", timestamp(one.when_unix_ms)}, {"grace", one.grace}});
  return list;
}

Result<std::vector<std::string>> those_that_wait(Vault& vault,
                                                 const std::vector<std::string>& scopes) {
  std::vector<std::string> waiting;
  for (const std::string& scope : scopes) {
    QUIETUS_TRY_AS(const ScheduleInfo schedule, vault.retention().schedule(scope).within(scope));
    if (schedule.erase_at) waiting.push_back(scope);
  }
  return waiting.empty() ? scopes : waiting;
}

Result<ExitCode> run_cancel(Vault& vault, const EraseCommand& command, Invocation& invocation) {
  std::vector<std::string> scopes = command.scopes;
  // Of a person, what waits; not all of it need have been asked for.
  if (!command.subject.empty()) {
    QUIETUS_TRY_AS(scopes, those_that_wait(vault, scopes));
  }
  QUIETUS_TRY(vault.retention().cancel_erasure(scopes));
  if (invocation.terminal.json) invocation.terminal.document({{"cancelled", scopes}});
  return ExitCode::kDone;
}

Result<void> check_usage(const EraseCommand& command) {
  const auto usage = [](std::string text) {
    return Error(ErrorCode::kInvalidArgument, std::move(text));
  };
  if (command.resume)
    return command.scopes.empty() ? Result<void>()
                                  : usage("erase --resume finishes what is pending; name no scope");
  if (command.scopes.empty()) return usage("erase: name at least one scope");
  if (command.cancel && (command.now || !command.reason.empty() || !command.certificate.empty()))
    return usage("erase --cancel takes an erasure back that waits; it takes scopes alone");
  if (command.cancel) return {};
  if (command.reason.empty())
    return usage("erase: --reason is missing: a code or a text why this is erased");
  return {};
}

// What waits is told in the document of what was erased, or in one of its own.
void print_waiting(Terminal& terminal, const std::vector<ErasureAppointment>& waiting) {
  if (terminal.json)
    return terminal.document({{"erased", Json::array()}, {"scheduled", json_of(waiting)}});
  std::vector<std::vector<std::string>> rows;
  rows.reserve(waiting.size());
  for (const ErasureAppointment& one : waiting)
    rows.push_back({"scheduled", one.path, timestamp(one.when_unix_ms)});
  terminal.print(columns(rows));
}

// Destroys what does not wait.
Result<void> erase_now(Vault& vault, const EraseCommand& command, const Appointments& when,
                       Invocation& invocation) {
  const std::string what = when.at_once.size() == 1 ? when.at_once.front() : std::string("erase");
  QUIETUS_TRY_AS(const ErasePlan plan, vault.plan_erase(when.at_once).within(what));
  QUIETUS_TRY_AS(std::optional<OutputFile> file, prepare_certificate(command.certificate));
  QUIETUS_TRY_AS(const ErasureReport report,
                 vault.erase(when.at_once, command.reason).within(what));
  QUIETUS_TRY(write_certificate(file, report));
  print_erased(invocation.terminal, plan, report, command, when.waiting);
  return {};
}

// With the scopes of a data subject in place of its tenant.
Result<EraseCommand> resolved(Vault& vault, EraseCommand command) {
  if (command.subject.empty()) return command;
  if (command.scopes.size() != 1)
    return Error(ErrorCode::kInvalidArgument, "erase --subject: name one tenant");
  QUIETUS_TRY_AS(command.scopes, scopes_meant(vault, command.scopes.front(), command.subject));
  return command;
}

Result<ExitCode> run_erase(const EraseCommand& asked, Invocation& invocation) {
  QUIETUS_TRY(check_usage(asked));
  if (asked.resume) return resume_erasures(invocation);
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY_AS(const EraseCommand command, resolved(vault, asked));
  if (command.cancel) return run_cancel(vault, command, invocation);
  const std::string what =
      command.scopes.size() == 1 ? command.scopes.front() : std::string("erase");
  QUIETUS_TRY_AS(const ErasePlan plan, vault.plan_erase(command.scopes).within(what));
  QUIETUS_TRY_AS(const Appointments when, appointments_of(vault, command).within(what));
  if (when.at_once.empty() && !command.certificate.empty())
    return Error(ErrorCode::kInvalidArgument,
                 "erase: nothing is destroyed yet, so there is no certificate to write; leave "
                 "--certificate out, or do not wait with --now");
  Terminal::plan(plan_text(plan) + waiting_text(when.waiting));
  if (!command.yes)
    QUIETUS_TRY(Terminal::confirm("Erase for ever?", confirmation_of(command.scopes)));
  if (!when.waiting.empty())
    QUIETUS_TRY(
        vault.retention().schedule_erasure(when.waiting_paths(), command.reason).within(what));
  if (when.at_once.empty()) {
    print_waiting(invocation.terminal, when.waiting);
    return ExitCode::kDone;
  }
  const Result<void> erased = erase_now(vault, command, when, invocation);
  if (erased) return ExitCode::kDone;
  // All or nothing, unless it was begun.
  if (erased.error().code() != ErrorCode::kErasureIncomplete)
    static_cast<void>(vault.retention().cancel_erasure(when.waiting_paths()));
  return erased.error();
}

void attach_erase(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<EraseCommand>();
  CLI::App& erase = *app.add_subcommand(
      "erase", "Destroy the keys of scopes and of all below them, for ever, with a certificate");
  erase.add_option("SCOPE", options->scopes, "What to erase; several in one go");
  erase.add_option(
      "--reason", options->reason,
      "Why: a code (contract-ended, deletion-request, …) or a text, which is kept sealed");
  erase.add_option("--certificate", options->certificate, "Write the certificate to this file");
  erase.add_flag("--yes", options->yes, "Do not ask");
  add_subject(erase, options->subject);
  erase.add_flag("--now", options->now, "Do not wait for the grace of its class");
  erase.add_flag("--cancel", options->cancel, "Take back an erasure that waits");
  erase.add_flag("--resume", options->resume, "Finish erasures that were interrupted");
  on_chosen(erase, chosen, std::move(options), run_erase);
}

// ---- vault destroy ----------------------------------------------------------------------------

struct DestroyCommand {
  std::string reason;
  std::string certificate;
  bool yes = false;
};

std::string destroy_plan(const VaultStatus& status, const std::string& folder) {
  return printable("This destroys every root slot of the vault in " + folder) + "\n" +
         columns({{"  id", status.vault_id}, {"  tenants", grouped(status.tenants)}}) +
         "All data of all tenants is gone then, for ever, in every copy of the vault.\n" +
         std::string(kNotCovered);
}

// A destruction that was begun cannot be opened any more: what is left of its slots is taken away.
// The key that would sign a certificate went with it.
Result<ExitCode> finish_destroy(const DestroyCommand& command, Invocation& invocation) {
  Terminal::plan(printable("The destruction of the vault in " + invocation.options.vault) +
                 " was begun. This finishes it. There is no certificate.\n");
  if (!command.yes) QUIETUS_TRY(Terminal::confirm("Finish destroying the vault?", "destroy"));
  QUIETUS_TRY(Vault::finish_destruction(invocation.options.vault));
  if (invocation.terminal.json)
    invocation.terminal.document({{"destroyed", true}});
  else
    invocation.terminal.print(columns({{"destroyed", "the whole vault, without a certificate"}}));
  return ExitCode::kDone;
}

// There is no vault any more to ask for it again.
Result<ExitCode> print_last(const ErasureReport& report, Terminal& terminal) {
  terminal.verbatim(report.certificate + "\n");
  return Error(ErrorCode::kIo,
               "the vault is destroyed, but its last certificate could not be written and was "
               "printed instead: keep it; " +
                   report.certificate_problem);
}

Result<ExitCode> run_destroy(const DestroyCommand& command, Invocation& invocation) {
  auto opened = open_for_writing(invocation.options);
  if (!opened && opened.error().code() == ErrorCode::kErasureIncomplete)
    return finish_destroy(command, invocation);
  QUIETUS_TRY_AS(Vault vault, std::move(opened));
  QUIETUS_TRY_AS(const VaultStatus status, vault.status());
  Terminal::plan(destroy_plan(status, invocation.options.vault));
  if (!command.yes)
    QUIETUS_TRY(
        Terminal::confirm("Destroy the whole vault?", "destroy " + status.vault_id.substr(0, 8)));
  QUIETUS_TRY_AS(const ErasureReport report, vault.destroy(command.certificate, command.reason));
  if (!report.certificate_problem.empty()) return print_last(report, invocation.terminal);
  if (invocation.terminal.json) {
    Json document = {{"destroyed", true}, {"vault_id", status.vault_id}};
    document.update(cli::to_json(report));
    document["certificate_file"] = command.certificate;
    invocation.terminal.document(document);
  } else {
    invocation.terminal.print(
        columns({{"destroyed", status.vault_id},
                 {"certificate", report.certificate_id + "  " + command.certificate}}));
  }
  return ExitCode::kDone;
}

void attach_vault_group(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<DestroyCommand>();
  CLI::App& group = group_of(app, "vault", "The vault as a whole");
  CLI::App& destroy =
      *group.add_subcommand("destroy", "Destroy every root slot: all data, for ever");
  destroy.add_option("--reason", options->reason, "Why: a code or a text")->required();
  destroy.add_option("--certificate", options->certificate, "Where the last certificate goes")
      ->required();
  destroy.add_flag("--yes", options->yes, "Do not ask");
  on_chosen(destroy, chosen, std::move(options), run_destroy);
}

}  // namespace

void attach_erase_commands(CLI::App& app, Action& chosen) {
  attach_erase(app, chosen);
  attach_vault_group(app, chosen);
}

}  // namespace quietus::cli
