#include "faults/property_operations.hpp"

#include "support/result_matchers.hpp"

namespace quietus::test {

std::string_view property_policy() {
  return R"(effective = 2027-01-01
[class.orders]
trigger = "termination"
after = "5d"
tenant-override = { min = "0d", max = "15d" }
[class.mail]
rules = [
  { trigger = "consent-withdrawn", after = "0d" },
  { trigger = "last-activity", after = "12d" },
]
[class.logs]
trigger = "creation"
after = "20d"
grace = "3d"
[class.claims]
trigger = "creation"
after = "10d"
action = "review"
)";
}

LifecycleModel new_model(std::int64_t now) {
  std::map<std::string, ModelClass> classes;
  classes["orders"] = {{{"termination", 5, false}}, 0, 15};
  classes["mail"] = {{{"consent-withdrawn", 0, false}, {"last-activity", 12, false}}, 0, {}};
  classes["logs"] = {{{"creation", 20, false}}, 3, {}};
  classes["claims"] = {{{"creation", 10, true}}, 0, {}};
  return {classes, {{{"termination", 0, false}}, 7, {}}, now};
}

std::string text_of(const Answer& answer) {
  return answer ? std::string(name_of(*answer)) : "done";
}

Bytes content_from(const std::string& name, const std::string& content) {
  const std::size_t size = name == "large" ? std::size_t{300} << 10 : content.size();
  Bytes all;
  while (all.size() < size) all.insert(all.end(), content.begin(), content.end());
  return all;
}

// --- on the model

namespace {

Answer change(LifecycleModel& model, const Operation& of, std::int64_t now) {
  const std::int64_t then = now + of.days * kOneDay;
  using enum ModelState;
  switch (of.act) {
    case Act::kCreate: return model.create(of.path(), {of.paths.begin() + 1, of.paths.end()}, now);
    case Act::kPut: return model.put(of.path(), of.name, of.content, of.flag, now);
    case Act::kRemove: return model.remove(of.path(), of.name, now);
    case Act::kSuspend: return model.change_state(of.path(), kSuspended);
    case Act::kResume: return model.change_state(of.path(), kActive);
    case Act::kDeactivate: return model.change_state(of.path(), kDeactivated);
    case Act::kCompromise: return model.change_state(of.path(), kCompromised);
    case Act::kHold: return model.place_hold(of.path(), of.days == 0 ? 0 : then);
    case Act::kRelease:
      if (of.index >= model.holds().size()) return ErrorCode::kNotFound;
      model.release_hold(of.index);
      return {};
    case Act::kTerminate: return model.terminate(of.path(), then, now);
    case Act::kCancelTermination: return model.cancel_termination(of.path());
    case Act::kWithdraw: return model.withdraw(of.path(), then);
    case Act::kRestore: return model.restore(of.path());
    case Act::kExpire: return model.expire(of.path(), then);
    case Act::kUnexpire: return model.expire(of.path(), {});
    case Act::kChoose: return model.choose(of.path(), of.days * 3);
    case Act::kAskErasure: return model.ask_erasure(of.paths, now);
    case Act::kCancelErasure: return model.cancel_erasure(of.path());
    case Act::kErase: return model.erase(of.paths);
    case Act::kRotate: return model.rotate(of.path(), false, now);
    case Act::kPurge: return model.rotate(of.path(), true, now);
    case Act::kAcceptClock: model.accept_clock(now); return {};
    case Act::kSweep:
    case Act::kSweepWithWrongClock:
    case Act::kAdvance:
    case Act::kReopen: break;
  }
  return {};
}

constexpr std::int64_t kTooFarBack = 2 * kOneDay / 24;

}  // namespace

LifecycleModel::Sweep carry_out(const LifecycleModel& model, const Operation& operation,
                                std::int64_t now) {
  if (operation.act == Act::kSweep) return model.sweep(operation.flag, now);
  if (operation.act == Act::kSweepWithWrongClock)
    return model.sweep(operation.flag, model.accepted() - kTooFarBack);
  LifecycleModel::Sweep done;
  done.stages = {model, model};
  done.answer = change(done.stages.back(), operation, now);
  return done;
}

// --- on the vault

namespace {

Answer put(Vault& vault, const Operation& of) {
  auto scope = of.flag ? vault.scope(of.path(), RestrictedUse::kConsent) : vault.scope(of.path());
  if (!scope) return scope.error().code();
  return answer_of(scope->put(of.name, content_from(of.name, of.content)));
}

Answer remove(Vault& vault, const Operation& of) {
  auto scope = vault.scope(of.path());
  return scope ? answer_of(scope->remove(of.name)) : scope.error().code();
}

Answer release(Vault& vault, const LifecycleModel& model, const Operation& of) {
  std::string id(32, '0');
  if (of.index < model.holds().size()) {
    const ModelHold& wanted = model.holds()[of.index];
    for (const HoldInfo& hold : must(vault.lifecycle().holds()))
      if (hold.path == model.path_of(wanted.scope) && hold.until_unix_ms == wanted.until)
        id = hold.id;
  }
  return answer_of(vault.lifecycle().release_hold(id));
}

Answer place(Vault& vault, const Operation& of, std::int64_t then) {
  HoldOptions options;
  options.authority = "file 12";
  if (of.days != 0) options.until_unix_ms = then;
  return answer_of(vault.lifecycle().place_hold(of.path(), "audit", options));
}

Answer sweep(Vault& vault, const LifecycleModel& model, const Operation& of, SetClock& clock) {
  SweepOptions options;
  if (of.flag) options.max_scopes = 1000;
  const UnixMillis right = clock.now();
  if (of.act == Act::kSweepWithWrongClock) clock.set(model.accepted() - kTooFarBack);
  const Answer answer = answer_of(vault.retention().sweep(options));
  clock.set(right);
  return answer;
}

Answer change_keys(Vault& vault, const Operation& of) {
  Lifecycle keys = vault.lifecycle();
  switch (of.act) {
    case Act::kSuspend: return answer_of(keys.suspend(of.path(), "test"));
    case Act::kResume: return answer_of(keys.resume(of.path(), "test"));
    case Act::kDeactivate: return answer_of(keys.deactivate(of.path(), "test"));
    case Act::kCompromise: return answer_of(keys.compromise(of.path(), "test"));
    case Act::kRotate: return answer_of(keys.rotate(of.path(), "test"));
    case Act::kPurge: return answer_of(keys.purge(of.path(), "test"));
    default: return {};
  }
}

Answer change_dates(Vault& vault, const Operation& of, std::int64_t then) {
  Retention dates = vault.retention();
  switch (of.act) {
    case Act::kTerminate: return answer_of(dates.terminate(of.path(), then));
    case Act::kCancelTermination: return answer_of(dates.cancel_termination(of.path()));
    case Act::kWithdraw: return answer_of(dates.withdraw_consent(of.path(), then));
    case Act::kRestore: return answer_of(dates.restore_consent(of.path()));
    case Act::kExpire: return answer_of(dates.set_expiry(of.path(), then));
    case Act::kUnexpire: return answer_of(dates.set_expiry(of.path(), {}));
    case Act::kChoose:
      return answer_of(dates.choose_period(of.path(), std::to_string(of.days * 3) + "d"));
    case Act::kAskErasure: return answer_of(dates.schedule_erasure(of.paths, "test"));
    case Act::kCancelErasure: return answer_of(dates.cancel_erasure(std::span(&of.path(), 1)));
    case Act::kAcceptClock: return answer_of(dates.accept_clock());
    default: return change_keys(vault, of);
  }
}

}  // namespace

Answer carry_out(Vault& vault, const LifecycleModel& model, const Operation& operation,
                 SetClock& clock) {
  const std::int64_t then = clock.now() + operation.days * kOneDay;
  switch (operation.act) {
    case Act::kCreate: {
      ScopeOptions options;
      options.derived_from.assign(operation.paths.begin() + 1, operation.paths.end());
      return answer_of(vault.create_scope(operation.path(), options));
    }
    case Act::kPut: return put(vault, operation);
    case Act::kRemove: return remove(vault, operation);
    case Act::kHold: return place(vault, operation, then);
    case Act::kRelease: return release(vault, model, operation);
    case Act::kErase: return answer_of(vault.erase(operation.paths, "test"));
    case Act::kSweep:
    case Act::kSweepWithWrongClock: return sweep(vault, model, operation, clock);
    default: return change_dates(vault, operation, then);
  }
}

}  // namespace quietus::test
