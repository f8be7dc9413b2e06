// The end of data; keys and holds.
#include <array>
#include <cstdio>
#include <exception>

#include "functions.hpp"

namespace quietus::node {
namespace {

constexpr std::size_t kUsualErasures = 16;  // erasures that are reported together

// ---- erasures -----------------------------------------------------------------------------------

// Path and salt open a commitment: they are wiped as contents are.
struct Subject {
  std::uint64_t scope_id;
  Secret path;
  Secret salt;
};

using Id = std::array<char, 33>;

// Of one that is done. Ids need no memory; of what does, there may be none.
struct Erasure {
  Id erasure_id{};
  Id certificate_id{};
  std::optional<Secret> certificate;
  std::optional<std::vector<Subject>> subjects;
};

struct Erasures {
  std::vector<Erasure> made;
  bool lost = false;  // one was made that is not among them
};

// Before anything is destroyed: there is memory for as many then, whatever happens.
Erasures room_for(std::size_t count) {
  Erasures all;
  all.made.reserve(count);
  return all;
}

Secret secret_text(const char* from) {
  return {from, std::char_traits<char>::length(from)};
}

std::string_view view(const Secret& secret) {
  return {reinterpret_cast<const char*>(secret.data()), secret.size()};
}

Id id_of(const char* from) {
  Id made{};
  static_cast<void>(std::snprintf(made.data(), made.size(), "%s", from));
  return made;
}

std::vector<Subject> subjects_of(const quietus_erasure& shown) {
  std::vector<Subject> made;
  made.reserve(shown.subject_count);
  for (std::size_t i = 0; i < shown.subject_count; ++i) {
    const quietus_subject& one = shown.subjects[i];
    made.push_back({one.scope_id, secret_text(one.path), secret_text(one.salt)});
  }
  return made;
}

// Runs `keep()`; false when there is no memory for it. What is thrown must not reach the library,
// which would answer with an error that reads as if nothing had been destroyed.
template <class Keep>
bool kept(const Keep& keep) noexcept {
  try {
    keep();
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

int see_erasure(void* context, const quietus_erasure* shown) {
  auto& all = *static_cast<Erasures*>(context);
  Erasure made;
  made.erasure_id = id_of(shown->erasure_id);
  made.certificate_id = id_of(shown->certificate_id);
  static_cast<void>(
      kept([&] { made.certificate.emplace(shown->certificate, shown->certificate_size); }));
  static_cast<void>(kept([&] { made.subjects = subjects_of(*shown); }));
  if (!kept([&] { all.made.push_back(std::move(made)); })) all.lost = true;
  return 0;
}

napi_value show_subject(napi_env env, const Subject& subject) {
  return Object(env)
      .set("scopeId", id(env, subject.scope_id))
      .set("path", text(env, view(subject.path)))
      .set("salt", text(env, view(subject.salt)))
      .value();
}

napi_value show_erasure(napi_env env, const Erasure& erasure) {
  return Object(env)
      .set("erasureId", text(env, erasure.erasure_id.data()))
      .set("certificateId", text(env, erasure.certificate_id.data()))
      .set("certificate", or_null(env, [&] { return buffer(env, erasure.certificate.value()); }))
      .set("subjects",
           or_null(env, [&] { return array(env, erasure.subjects.value(), show_subject); }))
      .value();
}

// What `show()` makes of them. They are done: when there is no answer, the error must be the one
// that says so.
template <class Show>
napi_value told(napi_env env, const Erasures& all, const Show& show) {
  napi_value const shown = all.lost ? nullptr : if_possible(env, show);
  if (shown == nullptr)
    raise_failure(env, QUIETUS_EINCOMPLETE,
                  "keys were destroyed, but there was no memory for the report: see status() and "
                  "certificates()");
  return shown;
}

struct Ending {
  quietus_vault vault;
  std::vector<std::string> paths;
  std::string reason;
  Erasures made;
};

napi_value erase(napi_env env, const Arguments& in) {
  return promise(
      env, Ending{in.vault(0), in.texts(1), in.text(2), room_for(1)},
      [](Ending& call) {
        const Pointers paths(call.paths);
        return quietus_erase(call.vault, paths.data(), paths.size(), call.reason.c_str(),
                             see_erasure, &call.made);
      },
      [](napi_env to, const Ending& call) {
        return told(to, call.made, [&] { return show_erasure(to, call.made.made.at(0)); });
      });
}

napi_value resume(napi_env env, const Arguments& in) {
  return promise(
      env, Ending{in.vault(0), {}, {}, room_for(kUsualErasures)},
      [](Ending& call) { return quietus_resume(call.vault, see_erasure, &call.made); },
      [](napi_env to, const Ending& call) {
        return told(to, call.made, [&] { return array(to, call.made.made, show_erasure); });
      });
}

napi_value show_sweep(napi_env env, const quietus_sweep_report& report,
                      const std::vector<Erasure>& made) {
  return Object(env)
      .set("scopes", number(env, report.scopes))
      .set("limit", number(env, report.limit))
      .set("kept", number(env, report.kept))
      .set("holdsEnded", number(env, report.holds_ended))
      .set("termsEnded", number(env, report.terms_ended))
      .set("keysRetired", number(env, report.keys_retired))
      .set("erasures", array(env, made, show_erasure))
      .value();
}

napi_value sweep(napi_env env, const Arguments& in) {
  struct Call {
    quietus_vault vault;
    bool dry_run;
    std::int64_t max_scopes;
    quietus_sweep_report report;
    Erasures made;
  };
  return promise(
      env, Call{in.vault(0), in.flag(1), in.integer(2), {}, room_for(kUsualErasures)},
      [](Call& call) {
        const quietus_sweep_options how{sizeof how, call.dry_run ? 1 : 0,
                                        static_cast<std::uint64_t>(call.max_scopes)};
        call.report.size = sizeof call.report;
        return quietus_sweep(call.vault, &how, &call.report, see_erasure, &call.made);
      },
      [](napi_env to, const Call& call) {
        return told(to, call.made, [&] { return show_sweep(to, call.report, call.made.made); });
      });
}

napi_value schedule_erasure(napi_env env, const Arguments& in) {
  struct Appointment {
    std::string path;
    std::int64_t when_ms;
  };
  struct Call {
    quietus_vault vault;
    std::vector<std::string> paths;
    std::string reason;
    std::vector<Appointment> made;
  };
  return promise(
      env, Call{in.vault(0), in.texts(1), in.text(2), {}},
      [](Call& call) {
        const Pointers paths(call.paths);
        return quietus_schedule_erasure(
            call.vault, paths.data(), paths.size(), call.reason.c_str(),
            [](void* context, const char* path, std::int64_t when_ms) {
              static_cast<std::vector<Appointment>*>(context)->push_back({path, when_ms});
              return 0;
            },
            &call.made);
      },
      [](napi_env to, const Call& call) {
        return array(to, call.made, [](napi_env each, const Appointment& one) {
          return Object(each)
              .set("path", text(each, one.path))
              .set("when", time(each, one.when_ms))
              .value();
        });
      });
}

napi_value cancel_erasure(napi_env env, const Arguments& in) {
  return promise(env, Ending{in.vault(0), in.texts(1), {}, {}}, [](Ending& call) {
    const Pointers paths(call.paths);
    return quietus_cancel_erasure(call.vault, paths.data(), paths.size());
  });
}

// ---- decisions about one scope ------------------------------------------------------------------

struct Decision {
  quietus_vault vault;
  std::string what;  // a path, a policy, the id of a hold
  std::string reason;
  std::int64_t when_ms;
};

template <int (*kFunction)(quietus_vault, const char*)>
napi_value decide(napi_env env, const Arguments& in) {
  return promise(env, Decision{in.vault(0), in.text(1), {}, 0},
                 [](Decision& call) { return kFunction(call.vault, call.what.c_str()); });
}

template <int (*kFunction)(quietus_vault, const char*, const char*)>
napi_value change(napi_env env, const Arguments& in) {
  return promise(env, Decision{in.vault(0), in.text(1), in.text(2), 0}, [](Decision& call) {
    return kFunction(call.vault, call.what.c_str(), call.reason.c_str());
  });
}

template <int (*kFunction)(quietus_vault, const char*, std::int64_t)>
napi_value date(napi_env env, const Arguments& in) {
  return promise(env, Decision{in.vault(0), in.text(1), {}, in.integer(2)}, [](Decision& call) {
    return kFunction(call.vault, call.what.c_str(), call.when_ms);
  });
}

napi_value hold(napi_env env, const Arguments& in) {
  struct Call {
    Decision decision;
    std::optional<std::string> authority;
    std::array<char, 33> id;
  };
  return promise(
      env, Call{{in.vault(0), in.text(1), in.text(2), in.integer(4)}, in.optional_text(3), {}},
      [](Call& call) {
        const Decision& decision = call.decision;
        return quietus_place_hold(decision.vault, decision.what.c_str(), decision.reason.c_str(),
                                  pointer_to(call.authority), decision.when_ms, call.id.data());
      },
      [](napi_env to, const Call& call) { return text(to, call.id.data()); });
}

constexpr std::array kErasureFunctions{
    Function{"erase", erase},
    Function{"resume", resume},
    Function{"sweep", sweep},
    Function{"scheduleErasure", schedule_erasure},
    Function{"cancelErasure", cancel_erasure},
    Function{"applyPolicy", decide<quietus_apply_policy>},
    Function{"terminate", date<quietus_terminate>},
    Function{"cancelTermination", decide<quietus_cancel_termination>},
    Function{"withdrawConsent", date<quietus_withdraw_consent>},
    Function{"suspend", change<quietus_suspend>},
    Function{"unsuspend", change<quietus_unsuspend>},
    Function{"deactivate", change<quietus_deactivate>},
    Function{"rotate", change<quietus_rotate>},
    Function{"purge", change<quietus_purge>},
    Function{"hold", hold},
    Function{"release", decide<quietus_release_hold>},
};

}  // namespace

std::span<const Function> erasure_functions() {
  return kErasureFunctions;
}

}  // namespace quietus::node
