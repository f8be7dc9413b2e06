// Sessions of a web backend: what a user's browser is remembered by, gone when it expires.
//
//   session_store FOLDER [--accept-unknown-medium]
//
// A user is a scope, "shop/sessions/anna". Below it lies a scope for each week, in which the
// sessions that began in it are records. A week's scope has an expiry, after which the daily sweep
// destroys its key: no session outlives that, in no backup either. An account is deleted by erasing
// the user. Weeks have names of their own because the name of an erased scope is not given out
// again.
#include <quietus/vault.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <iostream>
#include <thread>

namespace {

namespace fs = std::filesystem;
using quietus::Error;
using quietus::ErrorCode;
using quietus::Result;

constexpr std::int64_t kWeekMs = std::int64_t{7} * 24 * 60 * 60 * 1000;

std::int64_t now_unix_ms() {
  using std::chrono::milliseconds, std::chrono::system_clock;
  return std::chrono::duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

// The vault below `folder`: opened, and made when this is the first start.
Result<quietus::Vault> open_or_create(const fs::path& folder, bool accept_unknown_medium) {
  const auto key_made = quietus::new_key_file(folder / "key");
  if (!key_made && key_made.error().code() != ErrorCode::kAlreadyExists) return key_made.error();
  const auto unlock = quietus::Unlock::key_file(folder / "key");
  auto opened = quietus::Vault::open(folder / "vault", unlock);
  if (opened || opened.error().code() != ErrorCode::kNotFound) return opened;
  quietus::CreateOptions options;
  options.root_folder = folder / "roots";  // in production: elsewhere, and in no backup
  options.accept_unknown_medium = accept_unknown_medium;
  return quietus::Vault::create(folder / "vault", unlock, options);
}

class Sessions {
 public:
  explicit Sessions(quietus::Vault& vault) : vault_(vault) {}

  Result<void> begin(const std::string& user, std::int64_t week, const std::string& id,
                     std::int64_t expires_unix_ms) {
    QUIETUS_TRY_AS(auto sessions, find_or_make(path_of(user, week)));
    QUIETUS_TRY(vault_.retention().set_expiry(path_of(user, week), expires_unix_ms));
    quietus::PutOptions options;
    options.must_be_new = true;  // two sessions never share an id
    QUIETUS_TRY(sessions.put(id, quietus::as_bytes(""), options));
    return {};
  }

  // What is in the cart, an article a line; no value when there is no such session any more.
  Result<std::optional<std::string>> cart(const std::string& user, std::int64_t week,
                                          const std::string& id) {
    auto read = [&]() -> Result<std::optional<std::string>> {
      QUIETUS_TRY_AS(auto sessions, vault_.scope(path_of(user, week)));
      QUIETUS_TRY_AS(auto value, sessions.get(id));
      return value ? std::optional(std::string(quietus::as_text(*value))) : std::nullopt;
    }();
    if (!read && read.error().code() == ErrorCode::kErased) return std::optional<std::string>{};
    return read;
  }

  // Whoever else adds something at the same time. The version is taken before the value: if
  // somebody writes between the two, the put finds that the version has changed.
  Result<void> add_to_cart(const std::string& user, std::int64_t week, const std::string& id,
                           const std::string& article) {
    QUIETUS_TRY_AS(auto sessions, vault_.scope(path_of(user, week)));
    for (;;) {
      QUIETUS_TRY_AS(auto info, sessions.stat(id));
      QUIETUS_TRY_AS(auto value, sessions.get(id));
      if (!info || !value) return Error(ErrorCode::kNotFound, "no such session");
      quietus::PutOptions options;
      options.expected = info->version;
      const std::string more = std::string(quietus::as_text(*value)) + article + "\n";
      const auto put = sessions.put(id, quietus::as_bytes(more), options);
      if (put) return {};
      if (put.error().code() != ErrorCode::kConflict) return put.error();
    }
  }

  Result<bool> log_out(const std::string& user, std::int64_t week, const std::string& id) {
    QUIETUS_TRY_AS(auto sessions, vault_.scope(path_of(user, week)));
    return sessions.remove(id);
  }

  Result<quietus::ErasureReport> delete_account(const std::string& user) {
    const std::string paths[] = {"shop/sessions/" + user};
    return vault_.erase(paths, "deletion-request");
  }

 private:
  static std::string path_of(const std::string& user, std::int64_t week) {
    return "shop/sessions/" + user + "/" + std::to_string(week);
  }

  // Makes what is missing of the path. Two threads may ask for the same one at once.
  Result<quietus::Scope> find_or_make(const std::string& path) {
    auto found = vault_.scope(path);
    if (found || found.error().code() != ErrorCode::kNotFound) return found;
    if (const auto slash = path.rfind('/'); slash != std::string::npos) {
      QUIETUS_TRY(find_or_make(path.substr(0, slash)));
    }
    auto made = vault_.create_scope(path);
    if (made || made.error().code() != ErrorCode::kAlreadyExists) return made;
    return vault_.scope(path);
  }

  quietus::Vault& vault_;
};

Result<void> run(const fs::path& folder, bool accept_unknown_medium) {
  QUIETUS_TRY_AS(auto vault, open_or_create(folder, accept_unknown_medium));
  Sessions sessions(vault);
  const std::int64_t now = now_unix_ms();
  const std::int64_t week = now / kWeekMs;
  QUIETUS_TRY(sessions.begin("anna", week - 1, "s-0", now));  // expires at once
  QUIETUS_TRY(sessions.begin("anna", week, "s-1", (week + 2) * kWeekMs));
  QUIETUS_TRY(sessions.begin("anna", week, "s-2", (week + 2) * kWeekMs));

  std::array<Result<void>, 4> results;
  std::vector<std::jthread> threads;
  threads.reserve(results.size());
  for (auto& result : results) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10 && result; ++i) {
        result = sessions.add_to_cart("anna", week, "s-1", "book");
      }
    });
  }
  threads.clear();  // joins them
  for (auto& result : results) QUIETUS_TRY(std::move(result));
  QUIETUS_TRY_AS(auto cart, sessions.cart("anna", week, "s-1"));
  const auto books = cart ? std::count(cart->begin(), cart->end(), '\n') : 0;
  std::cout << "four threads put " << books << " books into the cart\n";

  QUIETUS_TRY_AS(auto swept, vault.retention().sweep());  // what a timer does once a day
  QUIETUS_TRY_AS(auto old, sessions.cart("anna", week - 1, "s-0"));
  std::cout << "expired: " << swept.scopes << "; s-0 " << (old ? "lives" : "is gone") << "\n";

  QUIETUS_TRY_AS(auto logged_out, sessions.log_out("anna", week, "s-2"));
  std::cout << "logged out of s-2: " << (logged_out ? "yes" : "no") << "\n";

  QUIETUS_TRY_AS(auto report, sessions.delete_account("anna"));
  QUIETUS_TRY_AS(auto after, sessions.cart("anna", week, "s-1"));
  std::cout << "account deleted, certificate " << report.certificate_id << "; s-1 "
            << (after ? "lives" : "is gone") << "\n";
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const bool accept = argc == 3 && std::string_view(argv[2]) == "--accept-unknown-medium";
  const auto done = argc == 2 || accept
                        ? run(argv[1], accept)
                        : Error(ErrorCode::kInvalidArgument,
                                "usage: session_store FOLDER [--accept-unknown-medium]");
  if (!done) std::cerr << name_of(done.error().code()) << ": " << done.error().context() << "\n";
  return done ? 0 : 1;
}
