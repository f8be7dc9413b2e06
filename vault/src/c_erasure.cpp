// The C interface: erasures, retention, keys and holds.
#include <algorithm>

#include "c_guard.hpp"

using namespace quietus;
using namespace quietus::c;

namespace {

void show(const ErasureReport& report, quietus_erasure_visit visit, void* context) {
  if (visit == nullptr) return;
  std::vector<quietus_subject> subjects;
  subjects.reserve(report.subjects.size());
  for (const SubjectOpening& one : report.subjects)
    subjects.push_back({one.scope_id, one.path.c_str(), one.salt.c_str()});
  quietus_erasure erasure{};
  erasure.size = sizeof erasure;
  erasure.erasure_id = report.erasure_id.c_str();
  erasure.certificate_id = report.certificate_id.c_str();
  erasure.certificate = report.certificate.c_str();
  erasure.certificate_size = report.certificate.size();
  erasure.subjects = subjects.data();
  erasure.subject_count = subjects.size();
  static_cast<void>(visit(context, &erasure));  // it is done, whatever is answered
}

// With a path and a code.
template <class Change>
int changed(quietus_vault vault, const char* path, const char* reason, const Change& change) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto where, text(path, "the path"));
    QUIETUS_TRY_AS(const auto why, text(reason, "the reason"));
    Lifecycle lifecycle = held->lifecycle();
    QUIETUS_TRY(change(lifecycle, where, why));
    return QUIETUS_OK;
  });
}

// With a path.
template <class Decision>
int decided(quietus_vault vault, const char* path, const Decision& decision) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto where, text(path, "the path"));
    Retention retention = held->retention();
    QUIETUS_TRY(decision(retention, where));
    return QUIETUS_OK;
  });
}

}  // namespace

int quietus_erase(quietus_vault vault, const char* const* scopes, size_t count, const char* reason,
                  quietus_erasure_visit visit, void* context) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto targets, paths(scopes, count));
    QUIETUS_TRY_AS(const auto why, text(reason, "the reason"));
    QUIETUS_TRY_AS(const ErasureReport report, held->erase(targets, why));
    show_done([&] { show(report, visit, context); });
    return QUIETUS_OK;
  });
}

int quietus_resume(quietus_vault vault, quietus_erasure_visit visit, void* context) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto finished, held->resume());
    show_done([&] {
      for (const ErasureReport& report : finished) show(report, visit, context);
    });
    return QUIETUS_OK;
  });
}

int quietus_schedule_erasure(quietus_vault vault, const char* const* scopes, size_t count,
                             const char* reason, quietus_appointment_visit visit, void* context) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto targets, paths(scopes, count));
    QUIETUS_TRY_AS(const auto why, text(reason, "the reason"));
    QUIETUS_TRY_AS(const auto made, held->retention().schedule_erasure(targets, why));
    show_done([&] {
      for (const ErasureAppointment& one : made)
        if (visit != nullptr) static_cast<void>(visit(context, one.path.c_str(), one.when_unix_ms));
    });
    return QUIETUS_OK;
  });
}

int quietus_cancel_erasure(quietus_vault vault, const char* const* scopes, size_t count) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto targets, paths(scopes, count));
    QUIETUS_TRY(held->retention().cancel_erasure(targets));
    return QUIETUS_OK;
  });
}

int quietus_apply_policy(quietus_vault vault, const char* toml) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto policy, text(toml, "the policy"));
    QUIETUS_TRY(held->retention().apply_policy(policy));
    return QUIETUS_OK;
  });
}

int quietus_terminate(quietus_vault vault, const char* path, int64_t effective_ms) {
  return decided(vault, path, [&](Retention& retention, std::string_view scope) {
    return retention.terminate(scope, effective_ms);
  });
}

int quietus_cancel_termination(quietus_vault vault, const char* path) {
  return decided(vault, path, [](Retention& retention, std::string_view scope) {
    return retention.cancel_termination(scope);
  });
}

int quietus_withdraw_consent(quietus_vault vault, const char* path, int64_t when_ms) {
  return decided(vault, path, [&](Retention& retention, std::string_view scope) {
    return retention.withdraw_consent(scope, when_ms);
  });
}

int quietus_sweep(quietus_vault vault, const quietus_sweep_options* how,
                  quietus_sweep_report* report, quietus_erasure_visit visit, void* context) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const quietus_sweep_options given, options(how));
    // Whatever is wrong with it is said before anything is destroyed.
    if (report != nullptr) QUIETUS_TRY(give(report, quietus_sweep_report{}));
    SweepOptions wanted;
    wanted.dry_run = given.dry_run != 0;
    if (given.max_scopes != 0) wanted.max_scopes = given.max_scopes;
    QUIETUS_TRY_AS(const SweepReport swept, held->retention().sweep(wanted));
    show_done([&] {
      for (const ErasureReport& erasure : swept.erasures) show(erasure, visit, context);
    });
    if (report == nullptr) return QUIETUS_OK;
    quietus_sweep_report answer{};
    answer.size = sizeof answer;
    answer.scopes = swept.scopes;
    answer.limit = swept.limit;
    answer.kept = static_cast<std::uint64_t>(std::ranges::count_if(
        swept.plan.scopes, [](const Prospective& one) { return one.outlook != "due"; }));
    answer.holds_ended = swept.holds_ended;
    answer.terms_ended = swept.terms_ended;
    answer.keys_retired = swept.keys_retired;
    QUIETUS_TRY(give(report, answer));
    return QUIETUS_OK;
  });
}

int quietus_suspend(quietus_vault vault, const char* path, const char* reason) {
  return changed(vault, path, reason, [](Lifecycle& keys, std::string_view scope, auto why) {
    return keys.suspend(scope, why);
  });
}

int quietus_unsuspend(quietus_vault vault, const char* path, const char* reason) {
  return changed(vault, path, reason, [](Lifecycle& keys, std::string_view scope, auto why) {
    return keys.resume(scope, why);
  });
}

int quietus_deactivate(quietus_vault vault, const char* path, const char* reason) {
  return changed(vault, path, reason, [](Lifecycle& keys, std::string_view scope, auto why) {
    return keys.deactivate(scope, why);
  });
}

int quietus_rotate(quietus_vault vault, const char* path, const char* reason) {
  return changed(vault, path, reason, [](Lifecycle& keys, std::string_view scope, auto why) {
    return keys.rotate(scope, why);
  });
}

int quietus_purge(quietus_vault vault, const char* path, const char* reason) {
  return changed(vault, path, reason, [](Lifecycle& keys, std::string_view scope, auto why) {
    return keys.purge(scope, why);
  });
}

int quietus_place_hold(quietus_vault vault, const char* path, const char* reason,
                       const char* authority, int64_t until_ms, char id[33]) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY(not_null(id, "id"));
    id[0] = '\0';
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto where, text(path, "the path"));
    QUIETUS_TRY_AS(const auto why, text(reason, "the reason"));
    HoldOptions wanted;
    if (authority != nullptr) wanted.authority = authority;
    if (until_ms != 0) wanted.until_unix_ms = until_ms;
    QUIETUS_TRY_AS(const HoldInfo placed, held->lifecycle().place_hold(where, why, wanted));
    std::copy(placed.id.begin(), placed.id.end(), id);
    id[placed.id.size()] = '\0';
    return QUIETUS_OK;
  });
}

int quietus_release_hold(quietus_vault vault, const char* id) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto hold, text(id, "id"));
    QUIETUS_TRY(held->lifecycle().release_hold(hold));
    return QUIETUS_OK;
  });
}
