// tenant and scope: create, list, show.
#include "attach.hpp"
#include "printable_text.hpp"

#include <nlohmann/json.hpp>

#include "retention_commands.hpp"

namespace quietus::cli {
namespace {

struct CreateCommand {
  std::string path;
  bool tenant = false;
  ScopeOptions options;
};
struct PathCommand {
  std::string path;
  bool tenant = false;
};

Result<void> check_tenant(const std::string& path, bool tenant) {
  if (!tenant || path.find('/') == std::string::npos) return {};
  return Error(ErrorCode::kInvalidArgument,
               path + ": a tenant's name has no '/'; `quietus scope` is for scopes below a tenant");
}

std::string shown_name(const ScopeInfo& scope) {
  if (scope.state == ScopeState::kErased && scope.path.empty()) return "(erased)";
  return scope.path.empty() ? scope.name : scope.path;
}

Result<ExitCode> run_create(const CreateCommand& command, Invocation& invocation) {
  QUIETUS_TRY(check_tenant(command.path, command.tenant));
  QUIETUS_TRY_AS(Vault vault, open_for_writing(invocation.options));
  QUIETUS_TRY(vault.create_scope(command.path, command.options).within(command.path));
  if (!invocation.terminal.json) return ExitCode::kDone;
  QUIETUS_TRY_AS(const ScopeInfo made, vault.describe(command.path));
  invocation.terminal.document(to_json(made));
  return ExitCode::kDone;
}

Result<ExitCode> run_scope_list(const PathCommand& command, Invocation& invocation) {
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const std::vector<ScopeInfo> scopes,
                 vault.children(command.path)
                     .within(command.path.empty() ? "the list of tenants" : command.path));
  if (invocation.terminal.json) {
    invocation.terminal.document({{"parent", command.path}, {"scopes", to_json(scopes)}});
    return ExitCode::kDone;
  }
  std::vector<std::vector<std::string>> rows;
  rows.reserve(scopes.size());
  for (const ScopeInfo& scope : scopes)
    rows.push_back({hex16(scope.id), std::string(name_of(scope.state)),
                    timestamp(scope.created_unix_ms), or_dash(scope.data_class),
                    shown_name(scope)});
  invocation.terminal.print(columns(rows));
  return ExitCode::kDone;
}

Result<ExitCode> run_show(const PathCommand& command, Invocation& invocation) {
  QUIETUS_TRY(check_tenant(command.path, command.tenant));
  QUIETUS_TRY_AS(Vault vault, open_for_reading(invocation.options));
  QUIETUS_TRY_AS(const ScopeInfo scope, vault.describe(command.path).within(command.path));
  if (invocation.terminal.json) {
    invocation.terminal.document(to_json(scope));
  } else {
    std::string sources;
    for (const std::uint64_t id : scope.derived_from)
      sources += (sources.empty() ? "" : " ") + hex16(id);
    invocation.terminal.print(columns({{"path", shown_name(scope)},
                                       {"id", hex16(scope.id)},
                                       {"class", or_dash(scope.data_class)},
                                       {"state", std::string(name_of(scope.state))},
                                       {"created", or_dash(timestamp(scope.created_unix_ms))},
                                       {"erased", or_dash(timestamp(scope.erased_unix_ms))},
                                       {"derived from", or_dash(sources)}}));
  }
  // An erased scope is described where that is still possible, but it is no yes.
  return scope.state == ScopeState::kErased ? ExitCode::kErased : ExitCode::kDone;
}

void attach_paths(CLI::App& group, Action& chosen, bool tenant) {
  auto show_options = std::make_shared<PathCommand>();
  show_options->tenant = tenant;
  CLI::App& show = *group.add_subcommand("show", "Class, state, dates and id of one");
  show.add_option(tenant ? "NAME" : "SCOPE", show_options->path, "")->required();
  on_chosen(show, chosen, std::move(show_options), run_show);

  auto list_options = std::make_shared<PathCommand>();
  CLI::App& list = *group.add_subcommand(
      "list", tenant ? "All tenants, erased ones without a name" : "What lies directly below");
  if (!tenant) list.add_option("SCOPE", list_options->path, "Whose children; all tenants without");
  on_chosen(list, chosen, std::move(list_options), run_scope_list);
}

void attach_tenant(CLI::App& app, Action& chosen) {
  CLI::App& tenant = group_of(app, "tenant", "Customers: scopes at the top");
  auto options = std::make_shared<CreateCommand>();
  options->tenant = true;
  CLI::App& create = *tenant.add_subcommand("create", "Make a tenant");
  create.add_option("NAME", options->path, "")->required();
  on_chosen(create, chosen, std::move(options), run_create);
  attach_paths(tenant, chosen, true);
  attach_terminate(tenant, chosen);
}

void attach_scope(CLI::App& app, Action& chosen) {
  CLI::App& scope = group_of(app, "scope", "Scopes: acme, acme/customer-data, …");
  auto options = std::make_shared<CreateCommand>();
  CLI::App& create = *scope.add_subcommand("create", "Make a scope below one that exists");
  create.add_option("SCOPE", options->path, "Path of the new scope")->required();
  create.add_option("--class", options->options.data_class,
                    "Data class; without, that of the path or of the parent");
  create
      .add_option("--derived-from", options->options.derived_from,
                  "A scope whose erasure erases this one too; may be given several times")
      ->take_all()
      ->expected(1);
  on_chosen(create, chosen, std::move(options), run_create);
  attach_paths(scope, chosen, false);
  attach_decisions(scope, chosen);
}

}  // namespace

void attach_scope_commands(CLI::App& app, Action& chosen) {
  attach_tenant(app, chosen);
  attach_scope(app, chosen);
}

}  // namespace quietus::cli
