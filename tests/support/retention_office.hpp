// A vault with a policy, a clock that is set by hand, and ways to damage it.
#pragma once

#include <quietus/certificate.hpp>
#include <quietus/vault.hpp>

#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "base/byte_writer.hpp"
#include "base/failpoint.hpp"
#include "governance/calendar.hpp"
#include "keys/schedule.hpp"
#include "support/result_matchers.hpp"
#include "support/set_clock.hpp"
#include "support/vault_place.hpp"
#include "support/worker.hpp"

namespace quietus::test {

inline constexpr const char* kOfficePolicy = R"(effective = 2027-01-01
[class.customer-data]
trigger = "termination"
after = "15d"
[class.marketing]
rules = [
  { trigger = "consent-withdrawn", after = "0d" },
  { trigger = "last-activity", after = "2y" },
]
[class.logs]
trigger = "creation"
after = "90d"
[class.claims]
trigger = "creation"
after = "10d"
action = "review"
)";

struct Office {
  SetClock clock;
  VaultPlace place;
  std::shared_ptr<VaultCore> core;

  explicit Office(const char* policy = kOfficePolicy) {
    std::filesystem::create_directories(place.live());
    core = must(VaultCore::create(place.vault(), place.unlock(), place.create_options(),
                                  {posix_file_system(), clock}));
    if (policy != nullptr) must(retention().apply_policy(policy));
  }
  Office(const Office&) = delete;
  Office& operator=(const Office&) = delete;
  ~Office() { failpoint::install({}); }

  Vault vault() const { return Vault(core); }
  Retention retention() const { return vault().retention(); }
  Lifecycle lifecycle() const { return vault().lifecycle(); }
  Scope scope(const std::string& path) const {
    Vault all = vault();
    if (auto there = all.scope(path)) return *there;
    if (const auto slash = path.rfind('/'); slash != std::string::npos)
      static_cast<void>(scope(path.substr(0, slash)));
    return must(all.create_scope(path));
  }
  Scope derived(const std::string& path, const std::string& from) const {
    static_cast<void>(scope(path.substr(0, path.rfind('/'))));
    ScopeOptions options;
    options.derived_from = {from};
    return must(vault().create_scope(path, options));
  }
  bool alive(const std::string& path) const { return vault().scope(path).ok(); }
  Result<std::shared_ptr<VaultCore>> open() {
    return VaultCore::open(place.vault(), place.unlock(), {}, {posix_file_system(), clock});
  }
  void reopen() {
    core.reset();
    core = must(open());
  }
  // Moves on, as if a sweep had run each day.
  void go_to(std::string_view day) {
    clock.set(day);
    must(retention().accept_clock());
    take_keys_to_hand();
  }
  // What is done while the root is being changed cannot load keys: they must be cached, in the
  // newest epoch.
  void take_keys_to_hand() const {
    REQUIRE(must(core->holders->await(core->holders->epoch(), std::chrono::seconds(20))).missing ==
            0);
    must(core->keys->pending());
  }
  ScopeId id(const std::string& path) const { return must(lifecycle().keys(path)).scope_id; }

  void change_row(ByteView key, bool remove = false) const {
    must(core->control->update(WriteClass::kErasure, [&](ControlWriter& writer) -> Result<void> {
      QUIETUS_TRY_AS(const auto found, writer.get(key));
      REQUIRE(found.has_value());
      Bytes value(found->begin(), found->end());
      value.back() ^= 1;
      return remove ? writer.remove(key) : writer.put(key, value);
    }));
  }
  void damage(char table, std::uint64_t id, bool remove = false) const {
    change_row(ByteWriter().u8(static_cast<std::uint8_t>(table)).u64(id).view(), remove);
  }
  std::size_t logged(std::string_view text) const {
    Vault all = vault();
    std::size_t found = 0;
    for (std::uint64_t i = 0; i < must(all.log_head()).size; ++i)
      found += must(all.log_entry(i)).find(text) != std::string::npos ? 1 : 0;
    return found;
  }
};

// Does something once, when that point is reached; the change then goes on, or fails as if killed.
inline void at(std::string name, std::function<void()> act, bool killed = false) {
  failpoint::install(
      [name = std::move(name), act = std::move(act), killed,
       done = std::make_shared<bool>(false)](std::string_view point) -> Result<void> {
        if (point != name || *done) return {};
        *done = true;
        if (act) act();
        if (killed) return Error(ErrorCode::kInternal, "killed here");
        return {};
      });
}

inline std::string failure_of(const Result<SweepReport>& swept) {
  return swept ? std::string("swept") : swept.error().context();
}

}  // namespace quietus::test
