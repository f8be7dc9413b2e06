// Must hold 1: whoever kept every version of every file, and every unlock secret, and lacks only
// what the destroyed root slots held, opens nothing of what was erased and everything else.
#include <quietus/vault.hpp>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "base/byte_writer.hpp"
#include "base/failpoint.hpp"
#include "base/text_encoding.hpp"
#include "crypto/random.hpp"
#include "faults/adversary.hpp"
#include "faults/file_bytes.hpp"
#include "faults/write_recorder.hpp"
#include "support/child_process.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"
#include "vault_core.hpp"

namespace quietus::test {
namespace {

constexpr std::uint64_t kNever = ~std::uint64_t{0};

// What was written, whether it was later replaced or not.
struct Fact {
  std::string scope;
  std::string name;
  Bytes content;
};

struct LifeOfScope {
  ScopeId id = 0;
  std::uint64_t erased = kNever;  // the root generation in which it was alive last
};

Bytes content_of(std::size_t size) {
  Bytes content(size);
  random_bytes(content);
  return content;
}

// A vault and everything that ever happened to it.
class Life {
 public:
  Life() {
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

  std::filesystem::path watched() const { return folder_ / "watched"; }
  std::filesystem::path vault_folder() const { return watched() / "vault"; }
  const std::filesystem::path& root_folder() const { return root_folder_; }
  std::filesystem::path key_file(int n) const { return folder_ / ("key" + std::to_string(n)); }
  std::filesystem::path passphrase_file() const { return folder_ / "passphrase"; }
  std::filesystem::path aside(const std::string& name) const { return folder_ / name; }

  // What opens the vault now.
  Unlock unlock() const {
    return secret_ == 3 ? Unlock::passphrase_file(passphrase_file())
                        : Unlock::key_file(key_file(secret_));
  }
  std::vector<std::shared_ptr<const UnlockSecret>> all_secrets() const {
    std::vector<std::shared_ptr<const UnlockSecret>> secrets;
    for (int n = 1; n <= 2; ++n)
      secrets.push_back(must(load_secret(posix_file_system(), Unlock::key_file(key_file(n)))));
    secrets.push_back(
        must(load_secret(posix_file_system(), Unlock::passphrase_file(passphrase_file()))));
    return secrets;
  }

  Vault vault() const { return Vault(core_); }
  const VaultId& id() const { return id_; }
  void close() { core_.reset(); }
  void open() { core_ = must(VaultCore::open(vault_folder(), unlock(), {}, {})); }
  std::uint64_t generation() const { return must(vault().status()).root_generation; }

  void make(const std::string& path, std::vector<std::string> sources = {}) {
    ScopeOptions options;
    options.derived_from = std::move(sources);
    scopes_[path].id = must(vault().create_scope(path, options)).id();
  }
  void put(const std::string& scope, const std::string& name, std::size_t size) {
    Fact fact{scope, name, content_of(size)};
    Vault all = vault();
    must(must(all.scope(scope)).put(name, fact.content));
    facts_.push_back(std::move(fact));
  }
  void remove(const std::string& scope, const std::string& name) {
    Vault all = vault();
    CHECK(must(must(all.scope(scope)).remove(name)));
  }

  void erase(const std::vector<std::string>& paths) {
    const std::uint64_t last = generation();
    must(vault().erase(paths, "deletion-request"));
    note_erased(paths, last);
  }
  // What is below, or derived, is erased along.
  void note_erased(const std::vector<std::string>& paths, std::uint64_t last) {
    for (auto& [path, life] : scopes_)
      for (const std::string& gone : paths)
        if ((path == gone || path.starts_with(gone + "/")) && life.erased == kNever)
          life.erased = last;
  }
  void change_secret(int n) {
    secret_ = n;
    must(vault().change_unlock(unlock()));
  }

  const std::map<std::string, LifeOfScope>& scopes() const { return scopes_; }
  const std::vector<Fact>& facts() const { return facts_; }
  std::vector<RecordedCall> calls() const { return recorder_->calls(); }

 private:
  TemporaryFolder folder_{TemporaryFolder::in_memory()};
  std::optional<WriteRecorder> recorder_;
  std::filesystem::path root_folder_;
  VaultId id_{};
  int secret_ = 1;
  std::shared_ptr<VaultCore> core_;
  std::map<std::string, LifeOfScope> scopes_;
  std::vector<Fact> facts_;
};

void make_tenant(Life& life, const std::string& tenant) {
  life.make(tenant);
  for (const std::string name : {"customer-data", "billing"}) {
    const std::string data_class = tenant + "/" + name;
    life.make(data_class);
    life.put(data_class, "ledger", 300);
    for (int n = 1; n <= 3; ++n) {
      const std::string subject = data_class + "/user-" + std::to_string(n);
      life.make(subject);
      life.put(subject, "profile", 200);
    }
  }
  life.put(tenant, "contract", 5000);
  life.put(tenant + "/billing", "archive", 300 * 1024);
  life.put(tenant + "/customer-data/user-1", "scan", 420 * 1024);
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
  life.put(subject, "scan", 500 * 1024);
  life.put(tenant, "contract", 6000);
  life.put(tenant, "draft", 90);
  life.remove(tenant, "draft");
  life.remove(tenant + "/customer-data/user-2", "profile");
}

// Killed between LMDB's pages and its meta page in T2: the third waiting write after T1's and that
// of the slots is the one of the decision. The abandoned slot.
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
  const std::string abandoned = crash_in_decision(life, path);
  life.open();
  CHECK(must(life.vault().status()).pending.empty());
  life.note_erased({path}, last);
  return abandoned;
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

void copy_folder(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::filesystem::remove_all(to);
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
}

// What `cp -r` of the vault takes along at some moment.
void copy_aside(Life& life, const std::string& name) {
  life.close();
  copy_folder(life.vault_folder(), life.aside(name));
  life.open();
}

struct WholeLife {
  Life life;
  std::string abandoned;  // the slot of the crashed attempt
};

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
  life.erase({"gamma"});
  for (int n = 4; n <= 6; ++n) {  // into the leaves that became free
    const std::string subject = "delta/billing/user-" + std::to_string(n);
    life.make(subject);
    life.put(subject, "profile", 150);
  }
  life.change_secret(3);
  life.erase({"beta", "delta/customer-data/user-2", "crowd/person-7"});
  life.put("delta", "last", 99);
  life.close();
}

struct Slots {
  std::set<StolenSlot> surviving;
  std::set<StolenSlot> destroyed;
  std::set<StolenSlot> abandoned;  // of the destroyed ones
};

Slots slots_of(const WholeLife& whole) {
  Slots slots;
  std::set<std::string> there;
  for (const auto& file : files_below(whole.life.root_folder())) {
    there.insert(file);
    if (auto slot = stolen_slot(file.filename(), bytes_of_file(file)))
      slots.surviving.insert(std::move(*slot));
  }
  replay(whole.life.calls(), [&](const RecordedCall& call, const FileContents& files) {
    const std::filesystem::path path = call.path;
    const std::string name = path.filename();
    if (call.kind != RecordedCall::Kind::kWrite || !name.starts_with("slot-")) return;
    const auto slot = stolen_slot(name, files.at(call.path));
    if (!slot || there.contains(path)) return;
    slots.destroyed.insert(*slot);
    if (name.substr(0, name.size() - 1) == whole.abandoned.substr(0, whole.abandoned.size() - 1))
      slots.abandoned.insert(*slot);
  });
  return slots;
}

Loot loot_of(const Life& life) {
  Loot loot;
  loot.vault = life.id();
  loot.secrets = life.all_secrets();
  for (const RecordedCall& call : life.calls()) {
    if (call.kind != RecordedCall::Kind::kWrite) continue;
    const std::string name = std::filesystem::path(call.path).filename();
    if (name == "control.mdb") loot.control.add(call.offset, call.bytes);
    if (name == "records.mdb") loot.records.add(call.offset, call.bytes);
  }
  return loot;
}

bool knows(const Adversary& adversary, ScopeId scope, const Fact& fact) {
  return adversary.records().contains({scope, fact.name, fact.content});
}

bool any_row_holds(const Adversary& adversary, std::string_view text) {
  return std::any_of(adversary.rows().begin(), adversary.rows().end(), [&](const Bytes& row) {
    return as_text(row).find(text) != std::string_view::npos;
  });
}

// How many facts of scopes that `pick` wants are known.
template <class Pick>
std::pair<std::size_t, std::size_t> known_facts(const Adversary& adversary, const Life& life,
                                                Pick pick) {
  std::size_t known = 0;
  std::size_t all = 0;
  for (const Fact& fact : life.facts()) {
    const LifeOfScope& scope = life.scopes().at(fact.scope);
    if (!pick(scope)) continue;
    ++all;
    if (knows(adversary, scope.id, fact)) ++known;
  }
  return {known, all};
}

bool is_erased(const LifeOfScope& scope) {
  return scope.erased != kNever;
}
bool is_alive(const LifeOfScope& scope) {
  return !is_erased(scope);
}

void check_without_destroyed_slots(const Adversary& adversary, const Life& life) {
  const auto erased = known_facts(adversary, life, is_erased);
  const auto alive = known_facts(adversary, life, is_alive);
  CHECK(erased.second > 30);
  CHECK(erased.first == 0);
  CHECK(alive.first == alive.second);
  for (const auto& [path, scope] : life.scopes()) {
    INFO(path);
    CHECK(adversary.scope_keys(scope.id).empty() == is_erased(scope));
    if (is_erased(scope)) CHECK(adversary.brute_force(scope.id) == 0);
  }
  for (const std::string name : {"gamma", "person-7", "derived-1"})
    CHECK_FALSE(any_row_holds(adversary, name));
  for (const std::string name : {"alpha", "person-8", "derived-2"})
    CHECK(any_row_holds(adversary, name));
}

// What the store itself reads in its versions was among the rows that were taken from the pages.
void check_that_no_version_is_missed(const Life& life, const Loot& loot) {
  const LmdbPages::Rows rows = loot.control.rows();
  const auto path = life.aside("version.mdb");
  std::size_t versions = 0;
  std::size_t missed = 0;
  replay(life.calls(), [&](const RecordedCall& call, const FileContents& files) {
    if (!call.path.ends_with("/control.mdb") || !call.waits || call.offset >= 8192) return;
    if (call.kind != RecordedCall::Kind::kWrite || ++versions % 2 != 0) return;
    write_bytes(path, files.at(call.path));
    must(must(open_lmdb_control(path, {}))->read([&](ControlReader& reader) {
      return reader.scan({}, {}, [&](ByteView key, ByteView value) -> Result<bool> {
        const auto found = rows.find(Bytes(key.begin(), key.end()));
        if (found == rows.end() || !found->second.contains(Bytes(value.begin(), value.end())))
          ++missed;
        return true;
      });
    }));
    std::filesystem::remove(path);
  });
  CHECK(versions > 80);
  CHECK(missed == 0);
}

// With the slots of one root generation everything opens that lived then, and nothing that had been
// erased before. False when the slots never came to name a root.
bool check_generation(const Life& life, const Loot& loot, std::uint64_t generation) {
  INFO("root generation " << generation);
  const Adversary adversary(loot);
  REQUIRE_FALSE(adversary.root_keys().empty());
  if (adversary.rows().empty()) return false;
  const auto gone = known_facts(
      adversary, life, [&](const LifeOfScope& scope) { return scope.erased < generation; });
  const auto later = known_facts(adversary, life, [&](const LifeOfScope& scope) {
    return is_erased(scope) && scope.erased >= generation;
  });
  CHECK(gone.first == 0);
  CHECK(later.first == later.second);
  return true;
}

TEST_CASE("the time machine opens nothing of what was erased and everything else") {
  WholeLife whole;
  live(whole);
  const Life& life = whole.life;
  Loot loot = loot_of(life);
  const Slots slots = slots_of(whole);
  check_that_no_version_is_missed(life, loot);

  loot.slots = slots.surviving;
  check_without_destroyed_slots(Adversary(loot), life);

  // The test can fail: with the destroyed slots all that ever was opens.
  loot.slots.insert(slots.destroyed.begin(), slots.destroyed.end());
  const Adversary with_all(loot);
  const auto all = known_facts(with_all, life, [](const LifeOfScope&) { return true; });
  CHECK(all.first == all.second);
  CHECK(any_row_holds(with_all, "person-7"));
  CHECK(with_all.brute_force(life.scopes().at("gamma").id) > 0);

  // Pages that were flushed and never committed are reached through the abandoned slot alone.
  loot.slots = slots.abandoned;
  REQUIRE_FALSE(loot.slots.empty());
  const Adversary with_abandoned(loot);
  CHECK_FALSE(with_abandoned.scope_keys(life.scopes().at("gamma").id).empty());
  CHECK(with_abandoned.scope_keys(life.scopes().at("beta/billing").id).empty());

  std::map<std::uint64_t, std::set<StolenSlot>> by_generation;
  for (const StolenSlot& slot : slots.destroyed)
    if (!slots.abandoned.contains(slot)) by_generation[slot.slot.generation].insert(slot);
  int generations = 0;
  for (const auto& [generation, stolen] : by_generation) {
    loot.slots = stolen;
    if (check_generation(life, loot, generation)) ++generations;
  }
  CHECK(generations == 6);
}

// What the vault's files are when the life is over, to be put back before each attempt.
class Stage {
 public:
  explicit Stage(const Life& life) : life_(life) {
    copy_folder(life.vault_folder(), life.aside("now"));
    copy_folder(life.root_folder(), life.aside("now-roots"));
  }
  void reset() const {
    copy_folder(life_.aside("now"), life_.vault_folder());
    copy_folder(life_.aside("now-roots"), life_.root_folder());
  }
  void bring_back(const std::string& copy, const std::string& file) const {
    const auto to = life_.vault_folder() / file;
    std::filesystem::remove(to);
    std::filesystem::copy_file(life_.aside(copy) / file, to);
  }
  // Opening fails so, and neither slots nor anchor change.
  void check_refused(const OpenOptions& options, ErrorCode expected) const {
    const FileContents before = roots();
    CHECK_FAILS_WITH(Vault::open(life_.vault_folder(), life_.unlock(), options), expected);
    CHECK((before == roots()));
  }

 private:
  FileContents roots() const {
    FileContents contents;
    for (const auto& file : files_below(life_.root_folder())) contents[file] = bytes_of_file(file);
    return contents;
  }
  const Life& life_;
};

void check_old_copies_are_refused(const Life& life, const Stage& stage, const std::string& copy) {
  OpenOptions reading;
  reading.read_only = true;
  stage.reset();
  copy_folder(life.aside(copy), life.vault_folder());
  stage.check_refused({}, ErrorCode::kRolledBack);
  stage.check_refused(reading, ErrorCode::kRolledBack);
  std::filesystem::copy_file(life.aside("before-all-roots") / "anchor",
                             life.root_folder() / "anchor",
                             std::filesystem::copy_options::overwrite_existing);
  stage.check_refused({}, ErrorCode::kRolledBack);
  stage.check_refused(reading, ErrorCode::kRolledBack);
  std::filesystem::remove(life.root_folder() / "anchor");
  stage.check_refused({}, ErrorCode::kCorrupt);
  stage.check_refused(reading, ErrorCode::kRolledBack);
  stage.reset();
  stage.bring_back(copy, "control.mdb");
  stage.check_refused({}, ErrorCode::kRolledBack);
}

const Fact& newest(const Life& life, std::string_view scope, std::string_view name) {
  const auto found =
      std::find_if(life.facts().rbegin(), life.facts().rend(),
                   [&](const Fact& fact) { return fact.scope == scope && fact.name == name; });
  REQUIRE(found != life.facts().rend());
  return *found;
}

void check_the_vault_now(const Life& life) {
  Vault vault = must(Vault::open(life.vault_folder(), life.unlock()));
  for (const auto& [path, scope] : life.scopes()) {
    INFO(path);
    if (is_erased(scope)) CHECK_FAILS_WITH(vault.scope(path), ErrorCode::kErased);
  }
  for (const Fact& fact : life.facts()) {
    if (is_erased(life.scopes().at(fact.scope))) continue;
    const Fact& expected = newest(life, fact.scope, fact.name);
    const auto content = must(must(vault.scope(fact.scope)).get(fact.name));
    INFO(fact.scope << " " << fact.name);
    if (content)
      CHECK((*content == expected.content));
    else
      CHECK((fact.name == "draft" || fact.name == "profile"));
  }
  CHECK(must(vault.check()).damages.empty());
}

TEST_CASE("old stores beside new slots are refused, and with the old slots open") {
  WholeLife whole;
  live(whole);
  const Life& life = whole.life;
  const Stage stage(life);
  check_the_vault_now(life);
  check_old_copies_are_refused(life, stage, "before-all");
  check_old_copies_are_refused(life, stage, "between");

  // Old records beside the newest keys: what was erased is erased.
  stage.reset();
  stage.bring_back("before-all", "records.mdb");
  {
    Vault vault = must(Vault::open(life.vault_folder(), life.unlock()));
    CHECK_FAILS_WITH(vault.scope("gamma"), ErrorCode::kErased);
    CHECK(must(must(vault.scope("delta")).get("contract")));
  }

  // The test can fail: everything from before, slots included, opens.
  copy_folder(life.aside("before-all"), life.vault_folder());
  copy_folder(life.aside("before-all-roots"), life.root_folder());
  Vault vault = must(Vault::open(life.vault_folder(), Unlock::key_file(life.key_file(1))));
  const std::string subject = "alpha/customer-data/user-1";
  CHECK((must(must(vault.scope(subject)).get("scan")) == newest(life, subject, "scan").content));
}

}  // namespace
}  // namespace quietus::test
