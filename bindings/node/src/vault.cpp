// Vaults and scopes.
#include <array>

#include "functions.hpp"

namespace quietus::node {
namespace {

using Kind = Instance::Kind;

struct Unlock {
  std::optional<std::string> key_file;
  std::optional<std::string> passphrase_file;

  Unlock(const Arguments& in, std::size_t at)
      : key_file(in.optional_text(at)), passphrase_file(in.optional_text(at + 1)) {}
  quietus_unlock options() const {
    return {sizeof(quietus_unlock), pointer_to(key_file), pointer_to(passphrase_file)};
  }
};

napi_value new_key_file(napi_env env, const Arguments& in) {
  return promise(env, in.text(0),
                 [](const std::string& path) { return quietus_new_key_file(path.c_str()); });
}

napi_value create(napi_env env, const Arguments& in) {
  struct Call {
    std::string folder;
    Unlock unlock;
    std::optional<std::string> root_folder;
    bool root_in_vault;
    bool unknown_medium;
    quietus_vault vault;
  };
  return promise(
      env, Call{in.text(0), Unlock(in, 1), in.optional_text(3), in.flag(4), in.flag(5), nullptr},
      [](Call& call) {
        const quietus_unlock unlock = call.unlock.options();
        const quietus_create_options how{sizeof how, pointer_to(call.root_folder),
                                         call.root_in_vault ? 1 : 0, call.unknown_medium ? 1 : 0};
        return quietus_create(call.folder.c_str(), &unlock, &how, &call.vault);
      },
      [](napi_env to, const Call& call) {
        return Instance::of(to).keep(to, Kind::kVault, call.vault);
      });
}

std::uint32_t timeout(napi_env env, const Arguments& in, std::size_t at) {
  const std::int64_t milliseconds = in.integer(at);
  if (milliseconds < 0 || milliseconds > UINT32_MAX)
    raise_failure(env, QUIETUS_EINVALID, "a timeout must be 0 to 2^32 - 1");
  return static_cast<std::uint32_t>(milliseconds);
}

// It is called on a thread of the pool: the lines are kept for JavaScript's.
void see_notice(void* context, const char* line) {
  try {
    static_cast<std::vector<std::string>*>(context)->emplace_back(line);
  } catch (const std::exception&) {
    return;  // a line for a log is no reason for an open to fail
  }
}

napi_value open(napi_env env, const Arguments& in) {
  struct Call {
    std::string folder;
    Unlock unlock;
    bool read_only;
    bool locked_memory;
    std::uint32_t acknowledgement_timeout;
    std::uint32_t lock_timeout;
    quietus_vault vault;
    std::vector<std::string> notices;
  };
  return promise(
      env,
      Call{in.text(0),
           Unlock(in, 1),
           in.flag(3),
           in.flag(4),
           timeout(env, in, 5),
           timeout(env, in, 6),
           nullptr,
           {}},
      [](Call& call) {
        const quietus_unlock unlock = call.unlock.options();
        quietus_open_options how{};
        how.size = sizeof how;
        how.read_only = call.read_only ? 1 : 0;
        how.require_locked_memory = call.locked_memory ? 1 : 0;
        how.acknowledgement_timeout_ms = call.acknowledgement_timeout;
        how.lock_timeout_ms = call.lock_timeout;
        how.notice = see_notice;
        how.notice_context = &call.notices;
        return quietus_open(call.folder.c_str(), &unlock, &how, &call.vault);
      },
      [](napi_env to, const Call& call) {
        Object made(to);
        // Before the vault: nobody could close it if these were what fails.
        made.set("notices", or_null(to, [&] {
                   return array(to, call.notices, [](napi_env each, const std::string& line) {
                     return text(each, line);
                   });
                 }));
        return made.set("vault", Instance::of(to).keep(to, Kind::kVault, call.vault)).value();
      });
}

// Of any kind. What another has begun with it is finished by the library.
napi_value close(napi_env env, const Arguments& in) {
  const std::uint64_t number = in.big(0);
  const auto kind = Instance::of(env).let_go(number);
  return promise(env, kind, [number](const std::optional<Kind>& of) {
    return of ? Instance::close(*of, number) : QUIETUS_OK;
  });
}

napi_value status(napi_env env, const Arguments& in) {
  struct Call {
    quietus_vault vault;
    quietus_status_info info;
  };
  return promise(
      env, Call{in.vault(0), {}},
      [](Call& call) {
        call.info.size = sizeof call.info;
        return quietus_status(call.vault, &call.info);
      },
      [](napi_env to, const Call& call) {
        const quietus_status_info& info = call.info;
        return Object(to)
            .set("vaultId", text(to, info.vault_id))
            .set("assurance", text(to, info.assurance))
            .set("rootGeneration", number(to, info.root_generation))
            .set("tenants", number(to, info.tenants))
            .set("logSize", number(to, info.log_size))
            .set("certificates", number(to, info.certificates))
            .set("pendingErasures", number(to, info.pending_erasures))
            .set("processes", number(to, info.processes))
            .set("readOnly", flag(to, info.read_only != 0))
            .set("keyMemoryLocked", flag(to, info.key_memory_locked != 0))
            .set("lastBackup", time(to, info.last_backup_ms))
            .value();
      });
}

napi_value check_all(napi_env env, const Arguments& in) {
  struct Damage {
    std::string where;
    std::string what;
  };
  struct Call {
    quietus_vault vault;
    quietus_check_report report;
    std::vector<Damage> damages;
  };
  return promise(
      env, Call{in.vault(0), {}, {}},
      [](Call& call) {
        call.report.size = sizeof call.report;
        return quietus_check(
            call.vault,
            [](void* context, const char* where, const char* what) {
              static_cast<std::vector<Damage>*>(context)->push_back({where, what});
              return 0;
            },
            &call.damages, &call.report);
      },
      [](napi_env to, const Call& call) {
        return Object(to)
            .set("scopes", number(to, call.report.scopes))
            .set("records", number(to, call.report.records))
            .set("size", number(to, call.report.bytes))
            .set("logEntries", number(to, call.report.log_entries))
            .set("damages", array(to, call.damages,
                                  [](napi_env each, const Damage& damage) {
                                    return Object(each)
                                        .set("where", text(each, damage.where))
                                        .set("what", text(each, damage.what))
                                        .value();
                                  }))
            .value();
      });
}

template <class Call, class Run>
napi_value opened_scope(napi_env env, Call call, Run run) {
  return promise(env, std::move(call), std::move(run), [](napi_env in, const Call& made) {
    return Instance::of(in).keep(in, Kind::kScope, made.scope);
  });
}

napi_value create_scope(napi_env env, const Arguments& in) {
  struct Call {
    quietus_vault vault;
    std::string path;
    std::optional<std::string> data_class;
    std::vector<std::string> derived_from;
    quietus_scope scope;
  };
  return opened_scope(env, Call{in.vault(0), in.text(1), in.optional_text(2), in.texts(3), nullptr},
                      [](Call& call) {
                        const Pointers sources(call.derived_from);
                        const quietus_scope_options how{sizeof how, pointer_to(call.data_class),
                                                        sources.data(), sources.size()};
                        return quietus_create_scope(call.vault, call.path.c_str(), &how,
                                                    &call.scope);
                      });
}

napi_value open_scope(napi_env env, const Arguments& in) {
  struct Call {
    quietus_vault vault;
    std::string path;
    std::optional<std::string> use;
    quietus_scope scope;
  };
  return opened_scope(
      env, Call{in.vault(0), in.text(1), in.optional_text(2), nullptr}, [](Call& call) {
        return call.use ? quietus_open_restricted(call.vault, call.path.c_str(), call.use->c_str(),
                                                  &call.scope)
                        : quietus_open_scope(call.vault, call.path.c_str(), &call.scope);
      });
}

napi_value scope_id(napi_env env, const Arguments& in) {
  std::uint64_t found = 0;
  check_answer(env, quietus_scope_id(in.scope(0), &found));
  return id(env, found);
}

struct ScopeInfo {
  std::string path;
  std::string data_class;
  std::string state;
  std::uint64_t id;
  std::int64_t created_ms;
  std::int64_t erased_ms;
};

struct ScopeSearch {
  quietus_vault vault;
  std::string path;
  std::vector<ScopeInfo> found;
};

int see_scope(void* context, const quietus_scope_info* info) {
  static_cast<ScopeSearch*>(context)->found.push_back(
      {info->path, info->data_class, info->state, info->id, info->created_ms, info->erased_ms});
  return 0;
}

napi_value show_scope(napi_env env, const ScopeInfo& info) {
  return Object(env)
      .set("path", text(env, info.path))
      .set("dataClass", text(env, info.data_class))
      .set("state", text(env, info.state))
      .set("id", id(env, info.id))
      .set("created", time(env, info.created_ms))
      .set("erased", time(env, info.erased_ms))
      .value();
}

napi_value describe(napi_env env, const Arguments& in) {
  return promise(
      env, ScopeSearch{in.vault(0), in.text(1), {}},
      [](ScopeSearch& call) {
        return quietus_describe(call.vault, call.path.c_str(), see_scope, &call);
      },
      [](napi_env to, const ScopeSearch& call) { return show_scope(to, call.found.at(0)); });
}

napi_value children(napi_env env, const Arguments& in) {
  return promise(
      env, ScopeSearch{in.vault(0), in.text(1), {}},
      [](ScopeSearch& call) {
        return quietus_children(call.vault, call.path.c_str(), see_scope, &call);
      },
      [](napi_env to, const ScopeSearch& call) { return array(to, call.found, show_scope); });
}

constexpr std::array kVaultFunctions{
    Function{"newKeyFile", new_key_file},
    Function{"create", create},
    Function{"open", open},
    Function{"close", close},
    Function{"status", status},
    Function{"check", check_all},
    Function{"createScope", create_scope},
    Function{"openScope", open_scope},
    Function{"scopeId", scope_id},
    Function{"describe", describe},
    Function{"children", children},
};

}  // namespace

std::span<const Function> vault_functions() {
  return kVaultFunctions;
}

}  // namespace quietus::node
