// A thread that erases what is due: the daily sweep of a server that runs for months.
//
//   background_sweeper FOLDER [--accept-unknown-medium]
//
// A sweep that would end more than usual is refused, because a mistyped date looks just like that.
// The thread then waits for a person, who looks at the plan and allows so many scopes, once.
#include <quietus/vault.hpp>

#include <chrono>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <thread>

namespace {

namespace fs = std::filesystem;
using quietus::Error;
using quietus::ErrorCode;
using quietus::Result;

constexpr std::string_view kPolicy = R"(
effective = 2026-01-01
[tenant]
after = "0d"
[class.customer-data]
trigger = "termination"
after = "0d"
)";

std::int64_t now_unix_ms() {
  using std::chrono::milliseconds, std::chrono::system_clock;
  return std::chrono::duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

// A vault that is made in an empty folder, with its key and its root slots beside it.
Result<quietus::Vault> new_vault(const fs::path& folder, bool accept_unknown_medium) {
  QUIETUS_TRY(quietus::new_key_file(folder / "key"));
  quietus::CreateOptions options;
  options.root_folder = folder / "roots";  // in production: elsewhere, and in no backup
  options.accept_unknown_medium = accept_unknown_medium;
  return quietus::Vault::create(folder / "vault", quietus::Unlock::key_file(folder / "key"),
                                options);
}

class Sweeper {
 public:
  struct State {
    std::uint64_t sweeps = 0;         // that went through
    std::uint64_t scopes_ended = 0;   // by all of them
    std::uint64_t waits_to_end = 0;   // so many at once need a person's word; 0: none
    std::optional<Error> stopped_by;  // what only an operator can put right
  };

  // The vault must outlive this, which joins its thread when it ends.
  Sweeper(quietus::Vault& vault, std::chrono::milliseconds interval)
      : vault_(vault),
        thread_([this, interval](const std::stop_token& stop) { run(stop, interval); }) {}

  // A person has seen what would end: the next sweep, which begins at once, may end so many.
  void allow(std::uint64_t scopes) {
    const std::lock_guard lock(mutex_);
    allowed_ = scopes;
    state_.waits_to_end = 0;
    changed_.notify_all();
  }

  // Waits until `done` says so of the state, or time is up; the state.
  State wait_for(std::chrono::seconds time, const std::function<bool(const State&)>& done) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, time, [&] { return state_.stopped_by || done(state_); });
    return state_;
  }

 private:
  void run(const std::stop_token& stop, std::chrono::milliseconds interval) {
    while (!stop.stop_requested()) {
      const auto swept = sweep_once();
      std::unique_lock lock(mutex_);
      if (swept) {
        state_.sweeps += 1;
        state_.scopes_ended += *swept;
      } else if (!passes(swept.error().code())) {
        state_.stopped_by = swept.error();
      }
      changed_.notify_all();
      if (state_.stopped_by) return;
      changed_.wait_for(lock, stop, interval, [this] { return allowed_.has_value(); });
    }
  }

  // Errors after which the next sweep may go through by itself: somebody else is changing the root;
  // an erasure waits for a process that does not answer; or a hold came in between.
  static bool passes(ErrorCode code) {
    return code == ErrorCode::kBusy || code == ErrorCode::kErasureIncomplete ||
           code == ErrorCode::kHeld;
  }

  // How many scopes ended. A dry run tells whether a refusal was for their number.
  Result<std::uint64_t> sweep_once() {
    quietus::SweepOptions options;
    {
      const std::lock_guard lock(mutex_);
      options.max_scopes = std::exchange(allowed_, {});
    }
    auto swept = vault_.retention().sweep(options);
    if (swept) return swept->scopes;
    if (swept.error().code() == ErrorCode::kErasureIncomplete) {
      // Begun, and not yet certified. What can be finished now is, by this call; the rest later.
      QUIETUS_TRY(vault_.resume());
      return std::uint64_t{0};
    }
    if (swept.error().code() != ErrorCode::kRefused) return swept.error();
    options.dry_run = true;
    QUIETUS_TRY_AS(const auto would, vault_.retention().sweep(options));  // kRefused: the clock
    if (would.scopes <= would.limit) return swept.error();
    const std::lock_guard lock(mutex_);
    state_.waits_to_end = would.scopes;
    return std::uint64_t{0};
  }

  quietus::Vault& vault_;
  std::mutex mutex_;  // protects what follows
  std::condition_variable_any changed_;
  State state_;
  std::optional<std::uint64_t> allowed_;
  std::jthread thread_;  // last: it uses all of the above
};

Result<void> run(const fs::path& folder, bool accept_unknown_medium) {
  QUIETUS_TRY_AS(auto vault, new_vault(folder, accept_unknown_medium));
  QUIETUS_TRY(vault.retention().apply_policy(kPolicy));
  QUIETUS_TRY(vault.create_scope("acme"));
  QUIETUS_TRY(vault.create_scope("acme/customer-data"));
  for (int i = 0; i < 12; ++i) {
    QUIETUS_TRY_AS(auto user, vault.create_scope("acme/customer-data/user-" + std::to_string(i)));
    QUIETUS_TRY(user.put("profile.json", quietus::as_bytes("{}")));
  }

  using std::chrono::seconds;
  Sweeper sweeper(vault, std::chrono::milliseconds(100));  // in production: hours(24)
  const auto idle = sweeper.wait_for(seconds(60), [](const auto& s) { return s.sweeps > 0; });
  std::cout << "before the end of the agreement: " << idle.scopes_ended << " scopes ended\n";

  QUIETUS_TRY(vault.retention().terminate("acme", now_unix_ms()));
  const auto asks = sweeper.wait_for(seconds(60), [](const auto& s) { return s.waits_to_end > 0; });
  std::cout << "a person is asked about " << asks.waits_to_end << " scopes\n";
  sweeper.allow(asks.waits_to_end);
  const auto end = sweeper.wait_for(seconds(60), [](const auto& s) { return s.scopes_ended > 0; });
  if (end.stopped_by) return *end.stopped_by;
  std::cout << "after that: " << end.scopes_ended << " scopes ended\n";

  QUIETUS_TRY_AS(const auto certificates, vault.certificates());
  for (const auto& made : certificates) std::cout << "certificate " << made.id << "\n";
  const auto tenant = vault.scope("acme");
  if (tenant) return Error(ErrorCode::kInternal, "the tenant is still there");
  std::cout << "acme: " << name_of(tenant.error().code()) << "\n";
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const bool accept = argc == 3 && std::string_view(argv[2]) == "--accept-unknown-medium";
  const auto done = argc == 2 || accept
                        ? run(argv[1], accept)
                        : Error(ErrorCode::kInvalidArgument,
                                "usage: background_sweeper FOLDER [--accept-unknown-medium]");
  if (!done) std::cerr << name_of(done.error().code()) << ": " << done.error().context() << "\n";
  return done ? 0 : 1;
}
