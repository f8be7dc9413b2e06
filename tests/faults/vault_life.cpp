#include "faults/vault_life.hpp"

#include <csignal>
#include <fstream>
#include <set>

#include "base/failpoint.hpp"
#include "crypto/random.hpp"
#include "erase_many.hpp"
#include "faults/file_bytes.hpp"
#include "support/child_process.hpp"

namespace quietus::test {
namespace {

Bytes content_of(std::size_t size) {
  Bytes content(size);
  random_bytes(content);
  return content;
}

void make_tenant(Life& life, const std::string& tenant) {
  life.make(tenant);
  for (const std::string& data_class : {tenant + "/customer-data", tenant + "/billing"}) {
    life.make(data_class);
    life.put(data_class, "ledger", 300);
    for (int n = 1; n <= 3; ++n) {
      const std::string subject = data_class + "/user-" + static_cast<char>('0' + n);
      life.make(subject);
      life.put(subject, "profile", 200);
    }
  }
  life.put(tenant, "contract", 5000);
  life.put(tenant + "/billing", "archive", 300'000);
  life.put(tenant + "/customer-data/user-1", "scan", 420'000);
}

// More subjects than fill one leaf of the key tree.
void make_crowd(Life& life) {
  life.make("crowd");
  for (int n = 1; n <= 20; ++n) {
    const std::string person = "crowd/person-" + std::to_string(n);
    life.make(person);
    life.put(person, "note", 100);
  }
}

void rewrite(Life& life, const std::string& tenant) {
  const std::string subject = tenant + "/customer-data/user-1";
  life.put(subject, "profile", 250);
  life.put(subject, "scan", 500'000);
  life.put(tenant, "contract", 6000);
  life.put(tenant, "draft", 90);
  life.remove(tenant, "draft");
  life.remove(tenant + "/customer-data/user-2", "profile");
}

// Killed between LMDB's pages and its meta page in T2, whose is the next waiting write once the new
// slot is made. The abandoned slot.
std::string crash_in_decision(Life& life, const std::string& path) {
  life.close();
  std::set<std::string> before;
  for (const auto& file : files_below(life.root_folder())) before.insert(file.filename());
  const int status = status_of_child([&] {
    const auto core = VaultCore::open(life.vault_folder(), life.unlock(), {}, {});
    if (!core) return false;
    failpoint::install([](std::string_view name) -> Result<void> {
      if (name == "change/after-slot") kill_at_waiting_write(1);
      return {};
    });
    const std::string paths[] = {path};
    static_cast<void>(Vault(*core).erase(paths, "test"));
    return true;
  });
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(WTERMSIG(status) == SIGKILL);
  std::string abandoned;
  for (const auto& file : files_below(life.root_folder())) {
    const std::string name = file.filename();
    if (name.starts_with("slot-") && name.ends_with(".0") && !before.contains(name))
      abandoned = name;
  }
  REQUIRE_FALSE(abandoned.empty());
  return abandoned;
}

// The next opening makes the erasure that the crash interrupted again.
std::string crash_and_recover(Life& life, const std::string& path) {
  const std::uint64_t last = life.generation();
  std::string abandoned = crash_in_decision(life, path);
  life.open();
  CHECK(must(life.vault().status()).pending.empty());
  life.note_erased({path}, last);
  return abandoned;
}

// Held while something goes on, and released again.
template <class F>
void while_held(Life& life, const std::string& path, const std::string& authority, F&& something) {
  Lifecycle lifecycle = life.vault().lifecycle();
  const HoldInfo hold = must(lifecycle.place_hold(path, "litigation", {authority, {}}));
  something();
  must(lifecycle.release_hold(hold.id));
}

// Through every state that destroys nothing.
void change_states(Life& life, const std::string& path) {
  Lifecycle lifecycle = life.vault().lifecycle();
  must(lifecycle.suspend(path, "accuracy-contested"));
  must(lifecycle.resume(path, "resolved"));
  must(lifecycle.deactivate(path, "contract-ended"));
  must(lifecycle.compromise(path, "incident"));
}

void abort_an_erasure(Life& life, const std::string& path) {
  failpoint::install([](std::string_view name) -> Result<void> {
    if (name == "slot/before-read-back") return Error(ErrorCode::kIo, "as the test wants it");
    return {};
  });
  const std::string paths[] = {path};
  CHECK_FAILS_WITH(life.vault().erase(paths, "test"), ErrorCode::kIo);
  failpoint::install({});
}

// What `cp -r` of the vault takes along at some moment.
void copy_aside(Life& life, const std::string& name) {
  life.close();
  copy_folder(life.vault_folder(), life.aside(name));
  life.open();
}

}  // namespace

Life::Life() {
  must(new_key_file(key_file(1)));
  must(new_key_file(key_file(2)));
  std::ofstream(passphrase_file()) << "a passphrase for the last days\n";
  CreateOptions options;
  options.root_folder = watched() / "roots";
  options.accept_unknown_medium = true;
  std::filesystem::create_directory(watched());
  recorder_.emplace(watched());
  core_ = must(VaultCore::create(vault_folder(), unlock(), options, {}));
  id_ = core_->header.vault;
  root_folder_ = core_->header.root_folder;
}

Unlock Life::unlock() const {
  return secret_ == 3 ? Unlock::passphrase_file(passphrase_file())
                      : Unlock::key_file(key_file(secret_));
}

std::vector<std::shared_ptr<const UnlockSecret>> Life::all_secrets() const {
  std::vector<std::shared_ptr<const UnlockSecret>> secrets;
  for (int n = 1; n <= 2; ++n)
    secrets.push_back(must(load_secret(posix_file_system(), Unlock::key_file(key_file(n)))));
  secrets.push_back(
      must(load_secret(posix_file_system(), Unlock::passphrase_file(passphrase_file()))));
  return secrets;
}

void Life::make(const std::string& path, std::vector<std::string> sources) {
  ScopeOptions options;
  options.derived_from = std::move(sources);
  scopes_[path].id = must(vault().create_scope(path, options)).id();
}

void Life::put(const std::string& scope, const std::string& name, std::size_t size) {
  Fact fact{scope, name, content_of(size)};
  Vault all = vault();
  must(must(all.scope(scope)).put(name, fact.content));
  facts_.push_back(std::move(fact));
}

void Life::remove(const std::string& scope, const std::string& name) {
  Vault all = vault();
  CHECK(must(must(all.scope(scope)).remove(name)));
}

void Life::erase(const std::vector<std::string>& paths) {
  const std::uint64_t last = generation();
  must(vault().erase(paths, "deletion-request"));
  note_erased(paths, last);
}

void Life::erase_many(const std::vector<std::string>& paths) {
  const std::uint64_t last = generation();
  std::vector<DueErasure> due;
  for (const std::string& path : paths) due.push_back({scopes_.at(path).id, "retention-expired"});
  CHECK(must(quietus::erase_many(*core_, due)).erased == paths.size());
  note_erased(paths, last);
}

void Life::note_erased(const std::vector<std::string>& paths, std::uint64_t last) {
  for (auto& [path, life] : scopes_)
    for (const std::string& gone : paths)
      if ((path == gone || path.starts_with(gone + "/")) && life.erased == kNever)
        life.erased = last;
}

void Life::change_secret(int n) {
  secret_ = n;
  must(vault().change_unlock(unlock()));
}

void copy_folder(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::filesystem::remove_all(to);
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
}

void live(WholeLife& whole) {
  Life& life = whole.life;
  for (const std::string tenant : {"alpha", "beta", "gamma", "delta"}) make_tenant(life, tenant);
  make_crowd(life);
  life.make("delta/derived-1", {"alpha/customer-data/user-1", "delta/customer-data"});
  life.put("delta/derived-1", "model", 700);
  life.make("delta/derived-2", {"alpha/customer-data/user-2"});
  life.put("delta/derived-2", "model", 800);
  rewrite(life, "alpha");
  rewrite(life, "delta");
  copy_aside(life, "before-all");
  copy_folder(life.root_folder(), life.aside("before-all-roots"));
  life.erase({"alpha/customer-data/user-1"});
  life.note_erased({"delta/derived-1"}, life.generation() - 1);
  life.put("alpha/customer-data/user-3", "after", 120);
  life.change_secret(2);
  copy_aside(life, "between");
  whole.abandoned = crash_and_recover(life, "beta/billing");
  rewrite(life, "gamma");
  abort_an_erasure(life, "delta");
  while_held(life, "gamma/billing", "file 12, on gamma", [&] {
    const std::string paths[] = {"gamma"};
    CHECK_FAILS_WITH(life.vault().erase(paths, "test"), ErrorCode::kHeld);
  });
  while_held(life, "alpha/billing", "file 13, on alpha",
             [&] { life.put("alpha/billing", "while held", 130); });
  change_states(life, "gamma/customer-data");
  life.erase({"gamma"});
  for (int n = 4; n <= 6; ++n) {  // into the leaves that became free
    const std::string subject = "delta/billing/user-" + std::to_string(n);
    life.make(subject);
    life.put(subject, "profile", 150);
  }
  life.erase_many({"crowd/person-2", "crowd/person-11", "crowd/person-19"});
  life.make("crowd/person-new");
  life.put("crowd/person-new", "profile", 150);
  life.change_secret(3);
  life.erase({"beta", "delta/customer-data/user-2", "crowd/person-7"});
  life.put("delta", "last", 99);
  life.close();
}

}  // namespace quietus::test
