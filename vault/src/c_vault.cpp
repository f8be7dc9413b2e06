// The C interface: vaults and scopes.

#include <algorithm>
#include <chrono>

#include "c_guard.hpp"

using namespace quietus;
using namespace quietus::c;

namespace {

Result<Unlock> unlock_from(const quietus_unlock* given) {
  QUIETUS_TRY(not_null(given, "unlock"));
  QUIETUS_TRY_AS(const quietus_unlock how, options(given));
  if ((how.key_file == nullptr) == (how.passphrase_file == nullptr))
    return Error(ErrorCode::kInvalidArgument, "unlock: name a key file or a passphrase file");
  return how.key_file != nullptr ? Unlock::key_file(how.key_file)
                                 : Unlock::passphrase_file(how.passphrase_file);
}

void give_scope(Scope scope, quietus_scope* out) {
  if (out != nullptr) give_handle(std::make_shared<Scope>(std::move(scope)), out);
}

quietus_scope_info info_of(const ScopeInfo& scope) {
  quietus_scope_info info{};
  info.size = sizeof info;
  info.path = scope.path.c_str();
  info.data_class = scope.data_class.c_str();
  info.state = name_of(scope.state).data();
  info.id = scope.id;
  info.created_ms = scope.created_unix_ms;
  info.erased_ms = scope.erased_unix_ms;
  return info;
}

struct Making {
  const char* folder;
  const quietus_unlock* unlock;
  const quietus_create_options* how;
};

Answer made(const Making& making, const OperatorSpec* first, quietus_vault* vault) {
  QUIETUS_TRY(not_null(vault, "vault"));
  *vault = nullptr;
  QUIETUS_TRY_AS(const auto where, text(making.folder, "the folder"));
  QUIETUS_TRY_AS(const Unlock secret, unlock_from(making.unlock));
  QUIETUS_TRY_AS(const quietus_create_options given, options(making.how));
  CreateOptions wanted;
  if (given.root_folder != nullptr) wanted.root_folder = given.root_folder;
  wanted.insecure_root_in_vault = given.insecure_root_in_vault != 0;
  wanted.accept_unknown_medium = given.accept_unknown_medium != 0;
  auto done = first == nullptr ? Vault::create(where, secret, wanted)
                               : Vault::create_governed(where, secret, *first, wanted);
  if (!done) return done.error();
  give_handle(std::make_shared<Vault>(std::move(*done)), vault);
  return QUIETUS_OK;
}

template <std::size_t N>
void copy_text(const std::string& from, char (&to)[N]) {  // NOLINT: what the struct has
  const std::size_t size = std::min(from.size(), N - 1);
  std::copy_n(from.begin(), size, to);
  to[size] = '\0';
}

}  // namespace

int quietus_new_key_file(const char* path) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto file, text(path, "the path"));
    QUIETUS_TRY(new_key_file(file));
    return QUIETUS_OK;
  });
}

int quietus_create(const char* folder, const quietus_unlock* unlock,
                   const quietus_create_options* how, quietus_vault* vault) {
  return guarded([&] { return made({folder, unlock, how}, nullptr, vault); });
}

int quietus_create_governed(const char* folder, const quietus_unlock* unlock,
                            const quietus_create_options* how, const quietus_operator* first,
                            quietus_vault* vault) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY(not_null(vault, "vault"));
    *vault = nullptr;
    QUIETUS_TRY_AS(const OperatorSpec person, operator_from(first));
    return made({folder, unlock, how}, &person, vault);
  });
}

int quietus_open(const char* folder, const quietus_unlock* unlock, const quietus_open_options* how,
                 quietus_vault* vault) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY(not_null(vault, "vault"));
    *vault = nullptr;
    QUIETUS_TRY_AS(const auto where, text(folder, "the folder"));
    QUIETUS_TRY_AS(const Unlock secret, unlock_from(unlock));
    QUIETUS_TRY_AS(const quietus_open_options given, options(how));
    OpenOptions wanted;
    wanted.read_only = given.read_only != 0;
    wanted.require_locked_memory = given.require_locked_memory != 0;
    if (given.acknowledgement_timeout_ms != 0)
      wanted.acknowledgement_timeout = std::chrono::milliseconds(given.acknowledgement_timeout_ms);
    if (given.lock_timeout_ms != 0)
      wanted.lock_timeout = std::chrono::milliseconds(given.lock_timeout_ms);
    if (given.notice != nullptr)
      wanted.notice = [&given](std::string_view line) {
        given.notice(given.notice_context, std::string(line).c_str());
      };
    QUIETUS_TRY_AS(Vault opened, Vault::open(where, secret, wanted));
    give_handle(std::make_shared<Vault>(std::move(opened)), vault);
    return QUIETUS_OK;
  });
}

int quietus_close(quietus_vault vault) {
  return guarded([&] { return close<Vault>(vault); });
}

int quietus_status(quietus_vault vault, quietus_status_info* info) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const VaultStatus status, held->status());
    quietus_status_info answer{};
    answer.size = sizeof answer;
    copy_text(status.vault_id, answer.vault_id);
    copy_text(status.assurance, answer.assurance);
    answer.root_generation = status.root_generation;
    answer.tenants = status.tenants;
    answer.log_size = status.log_size;
    answer.certificates = status.certificates;
    answer.pending_erasures = status.pending.size();
    answer.processes = status.processes;
    answer.read_only = status.read_only ? 1 : 0;
    answer.key_memory_locked = status.key_memory_locked ? 1 : 0;
    answer.last_backup_ms = status.backup_unix_ms;
    QUIETUS_TRY(give(info, answer));
    return QUIETUS_OK;
  });
}

int quietus_check(quietus_vault vault, quietus_damage_visit visit, void* context,
                  quietus_check_report* report) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    // Whatever is wrong with it is said before every byte is read.
    QUIETUS_TRY(give(report, quietus_check_report{}));
    QUIETUS_TRY_AS(const CheckReport found, held->check());
    quietus_check_report answer{};
    answer.size = sizeof answer;
    answer.scopes = found.scopes;
    answer.records = found.records;
    answer.bytes = found.bytes;
    answer.log_entries = found.log_entries;
    answer.damages = found.damages.size();
    QUIETUS_TRY(give(report, answer));
    Stop stop;
    for (const Damage& damage : found.damages)
      if (visit != nullptr &&
          !stop.check(visit(context, damage.where.c_str(), damage.what.c_str())))
        return QUIETUS_STOPPED;
    return QUIETUS_OK;
  });
}

int quietus_create_scope(quietus_vault vault, const char* path, const quietus_scope_options* how,
                         quietus_scope* scope) {
  return guarded([&]() -> Answer {
    if (scope != nullptr) *scope = nullptr;
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto where, text(path, "the path"));
    QUIETUS_TRY_AS(const quietus_scope_options given, options(how));
    ScopeOptions wanted;
    if (given.data_class != nullptr) wanted.data_class = given.data_class;
    QUIETUS_TRY_AS(wanted.derived_from, paths(given.derived_from, given.derived_from_count));
    QUIETUS_TRY_AS(Scope made, held->create_scope(where, wanted));
    give_scope(std::move(made), scope);
    return QUIETUS_OK;
  });
}

int quietus_open_scope(quietus_vault vault, const char* path, quietus_scope* scope) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY(not_null(scope, "scope"));
    *scope = nullptr;
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto where, text(path, "the path"));
    QUIETUS_TRY_AS(Scope opened, held->scope(where));
    give_scope(std::move(opened), scope);
    return QUIETUS_OK;
  });
}

int quietus_open_restricted(quietus_vault vault, const char* path, const char* use,
                            quietus_scope* scope) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY(not_null(scope, "scope"));
    *scope = nullptr;
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto where, text(path, "the path"));
    QUIETUS_TRY_AS(const auto code, text(use, "the use"));
    QUIETUS_TRY_AS(const RestrictedUse lawful, lawful_use(code));
    QUIETUS_TRY_AS(Scope opened, held->scope(where, lawful));
    give_scope(std::move(opened), scope);
    return QUIETUS_OK;
  });
}

int quietus_close_scope(quietus_scope scope) {
  return guarded([&] { return close<Scope>(scope); });
}

int quietus_scope_id(quietus_scope scope, uint64_t* id) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY(not_null(id, "id"));
    QUIETUS_TRY_AS(const auto held, find<Scope>(scope));
    *id = held->id();
    return QUIETUS_OK;
  });
}

int quietus_describe(quietus_vault vault, const char* path, quietus_scope_visit visit,
                     void* context) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto where, text(path, "the path"));
    QUIETUS_TRY(not_null(reinterpret_cast<const void*>(visit), "the callback"));
    QUIETUS_TRY_AS(const ScopeInfo found, held->describe(where));
    const quietus_scope_info info = info_of(found);
    return visit(context, &info) == 0 ? QUIETUS_OK : QUIETUS_STOPPED;
  });
}

int quietus_children(quietus_vault vault, const char* path, quietus_scope_visit visit,
                     void* context) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto where, text(path, "the path"));
    QUIETUS_TRY(not_null(reinterpret_cast<const void*>(visit), "the callback"));
    QUIETUS_TRY_AS(const auto found, held->children(where));
    for (const ScopeInfo& scope : found) {
      const quietus_scope_info info = info_of(scope);
      if (visit(context, &info) != 0) return QUIETUS_STOPPED;
    }
    return QUIETUS_OK;
  });
}
