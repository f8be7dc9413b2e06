// Must hold 2: after an erasure the keys of what was erased are in the memory of no process that
// has the vault open, not even in part; neither of the one that erased nor of others.
#include <quietus/vault.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "faults/adversary.hpp"
#include "faults/file_bytes.hpp"
#include "faults/process_memory.hpp"
#include "support/child_process.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"
#include "vault_core.hpp"

namespace quietus::test {
namespace {

constexpr const char* kFolderVariable = "QUIETUS_TEST_HOLDER_FOLDER";
constexpr const char* kCachingVariable = "QUIETUS_TEST_HOLDER_CACHING";
constexpr int kCommands = 100;  // descriptors in the other process
constexpr int kAnswers = 101;

struct Place {
  std::filesystem::path folder;
  std::filesystem::path vault() const { return folder / "vault"; }
  std::filesystem::path roots() const { return folder / "roots"; }
  Unlock unlock() const { return Unlock::key_file(folder / "key"); }
};

const std::vector<std::string>& scope_paths() {
  static const std::vector<std::string> paths = {"leaving", "leaving/data", "leaving/data/user",
                                                 "staying", "staying/data"};
  return paths;
}

void use_scope(Scope scope) {
  const Bytes small(1000, 's');
  const Bytes large(700'000, 'l');
  must(scope.put("small", small));
  must(scope.put("large", large));
  CHECK((must(scope.get("small")) == small));
  CHECK(must(scope.get("large"))->size() == large.size());
  CHECK(must(scope.get_stream("large", [](ByteView) { return Result<void>(); })));
  CHECK(must(scope.stat("small")));
  Batch batch;
  batch.put("other", small).remove("small");
  must(scope.write(batch));
  std::size_t records = 0;
  must(scope.list("", [&](const RecordInfo&) -> Result<bool> { return ++records > 0; }));
  CHECK(records == 2);
}

void use_all(Vault& vault) {
  for (const std::string& path : scope_paths()) use_scope(must(vault.scope(path)));
  CHECK(must(vault.check()).damages.empty());
  CHECK(must(vault.children("leaving")).size() == 1);
}

// The other process. It is this program again, started anew, so that its memory holds nothing of
// what this process knows.
TEST_CASE("a process that holds keys", "[.]") {
  // NOLINTBEGIN(concurrency-mt-unsafe): nobody else is there yet
  const char* folder = std::getenv(kFolderVariable);
  const char* caching = std::getenv(kCachingVariable);
  // NOLINTEND(concurrency-mt-unsafe)
  if (folder == nullptr || caching == nullptr) return;
  const Place place{folder};
  OpenOptions options;
  if (std::string(caching) == "none") options.key_caching = KeyCaching::kNone;
  Vault vault = must(Vault::open(place.vault(), place.unlock(), options));
  for (char command = 0; read(kCommands, &command, 1) == 1;) {
    if (command == 'u') {
      use_all(vault);
      std::thread([&] { use_all(vault); }).join();
    }
    if (command == 'r') CHECK(must(must(vault.scope("leaving")).get("other")));
    if (command == 'e') {
      const std::string paths[] = {"leaving"};
      must(vault.erase(paths, "contract-ended"));
    }
    REQUIRE(write(kAnswers, &command, 1) == 1);
  }
}

class OtherProcess {
 public:
  OtherProcess(const Place& place, const char* caching) {
    int commands[2];
    int answers[2];
    REQUIRE((pipe(commands) == 0 && pipe(answers) == 0));
    // NOLINTBEGIN(concurrency-mt-unsafe): no other thread here
    REQUIRE(setenv(kFolderVariable, place.folder.c_str(), 1) == 0);
    REQUIRE(setenv(kCachingVariable, caching, 1) == 0);
    // NOLINTEND(concurrency-mt-unsafe)
    process_ = fork();
    REQUIRE(process_ >= 0);
    if (process_ == 0) {
      dup2(commands[0], kCommands);
      dup2(answers[1], kAnswers);
      for (const int end : {commands[0], commands[1], answers[0], answers[1]}) close(end);
      execl("/proc/self/exe", "holder", "a process that holds keys", nullptr);
      _exit(127);
    }
    close(commands[0]);
    close(answers[1]);
    commands_ = commands[1];
    answers_ = answers[0];
  }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;
  ~OtherProcess() {
    close(commands_);
    close(answers_);
    waitpid(process_, nullptr, 0);
  }

  // Returns when it is done.
  void tell(char command) const {
    REQUIRE(write(commands_, &command, 1) == 1);
    char answer = 0;
    REQUIRE(read(answers_, &answer, 1) == 1);
    REQUIRE(answer == command);
  }
  std::optional<std::vector<std::string>> holds(const std::vector<WantedKey>& keys) const {
    return find_in_process(process_, keys);
  }

 private:
  pid_t process_ = -1;
  int commands_ = -1;
  int answers_ = -1;
};

std::map<std::string, ScopeId> make_vault(const Place& place) {
  must(new_key_file(place.folder / "key"));
  CreateOptions options;
  options.root_folder = place.roots();
  options.accept_unknown_medium = true;
  Vault vault = must(Vault::create(place.vault(), place.unlock(), options));
  std::map<std::string, ScopeId> ids;
  for (const std::string& path : scope_paths()) ids[path] = must(vault.create_scope(path)).id();
  return ids;
}

Loot loot_on_disk(const Place& place) {
  Loot loot;
  loot.vault = must(read_header(posix_file_system(), place.vault() / "vault.json")).vault;
  loot.secrets = {must(load_secret(posix_file_system(), place.unlock()))};
  loot.control.add(0, bytes_of_file(place.vault() / "control.mdb"));
  loot.records.add(0, bytes_of_file(place.vault() / "records.mdb"));
  for (const auto& file : files_below(place.roots()))
    if (auto slot = stolen_slot(file.filename(), bytes_of_file(file)))
      loot.slots.insert(std::move(*slot));
  return loot;
}

void want(std::vector<WantedKey>& keys, const std::string& what, const std::set<RawKey>& found) {
  std::size_t number = 0;
  for (const RawKey& key : found)
    keys.push_back({what + " #" + std::to_string(++number), Bytes(key.begin(), key.end())});
}

// Every key that the erasure of the tenant makes useless, as it is now.
std::vector<WantedKey> keys_of_the_leaving(const Adversary& adversary,
                                           const std::map<std::string, ScopeId>& ids) {
  std::vector<WantedKey> keys;
  for (const auto& [path, id] : ids)
    if (path.starts_with("leaving")) want(keys, path, adversary.everything_of(id));
  want(keys, "root", adversary.root_keys());
  want(keys, "node", adversary.path_of(ids.at("leaving")));
  return keys;
}

void check_holds_none(const OtherProcess& process, const std::vector<WantedKey>& keys) {
  const auto found = process.holds(keys);
  REQUIRE(found);
  for (const std::string& what : *found) UNSCOPED_INFO(what);
  CHECK(found->empty());
}

bool holds_any(const OtherProcess& process, const std::string& what, const std::set<RawKey>& keys) {
  std::vector<WantedKey> wanted;
  want(wanted, what, keys);
  return !process.holds(wanted).value_or(std::vector<std::string>()).empty();
}

TEST_CASE("after an erasure its keys are in the memory of no process") {
  if (QUIETUS_TEST_SANITIZED != 0) {
    std::puts("skipped: a sanitizer keeps what was freed");
    return;
  }
  const TemporaryFolder folder{TemporaryFolder::in_memory()};
  const Place place{folder.path()};
  const auto ids = make_vault(place);
  const OtherProcess eraser(place, "guarded");
  const OtherProcess idle(place, "guarded");
  const OtherProcess without_cache(place, "none");
  for (const OtherProcess* process : {&eraser, &idle, &without_cache}) process->tell('u');
  // So that the ciphers were last used with the keys that are looked for.
  for (const OtherProcess* process : {&eraser, &idle, &without_cache}) process->tell('r');
  const Loot loot = loot_on_disk(place);
  const Adversary adversary(loot);
  const std::vector<WantedKey> keys = keys_of_the_leaving(adversary, ids);
  CHECK(keys.size() > 30);

  if (!eraser.holds(keys)) {
    std::puts("skipped: this process may not look at the memory of another one");
    return;
  }
  // The test can fail: the keys that are kept for the next call are seen, those of messages too.
  const ScopeId tenant = ids.at("leaving");
  for (const OtherProcess* process : {&eraser, &idle}) {
    CHECK(holds_any(*process, "record key", adversary.record_keys(tenant)));
    CHECK(holds_any(*process, "message key", adversary.message_keys(tenant)));
    CHECK(holds_any(*process, "root", adversary.root_keys()));
  }
  check_holds_none(without_cache, keys);
  eraser.tell('e');
  for (const OtherProcess* process : {&eraser, &idle, &without_cache})
    check_holds_none(*process, keys);
}

}  // namespace
}  // namespace quietus::test
