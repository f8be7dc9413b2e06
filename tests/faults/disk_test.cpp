// Must hold: on a read-only and on a full disk, reads work and nothing is lost.
#include <sched.h>
#include <sys/mount.h>

#include <iostream>
#include <set>

#include "faults/history.hpp"
#include "support/worker.hpp"

using namespace quietus;
using namespace quietus::test;

namespace {

// A process with a small file system of its own; what it said, line by line. Nothing when that is
// not allowed here.
template <class F>
std::vector<std::string> on_own_disk(const char* size, F&& body) {
  const TemporaryFolder folder(TemporaryFolder::in_memory());
  Worker worker([&](const Telling& parent) {
    const std::string options = std::string("mode=0700,size=") + size;
    if (unshare(CLONE_NEWNS) != 0 ||
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", folder.path().c_str(), "tmpfs", 0, options.c_str()) != 0)
      return false;
    body(folder.path(), parent);
    return true;
  });
  auto said = worker.hear_all();
  if (worker.succeeds()) return said;
  std::cout << "skipped: no file system of its own can be mounted here\n";
  return {};
}

}  // namespace

TEST_CASE("A read-only disk: reads work, nothing else is tried") {
  const auto said = on_own_disk("64m", [](const fs::path& disk, const Telling& parent) {
    const History history(disk);
    history.put_back("new");
    if (mount(nullptr, disk.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) return;
    parent.tell(reading_only(history));
    parent.tell(opening(history));
    if (mount(nullptr, disk.c_str(), nullptr, MS_REMOUNT, nullptr) != 0) return;
    parent.tell(opening(history));
  });
  if (!said.empty())
    CHECK(said == std::vector<std::string>{"whole", "input/output error", "whole"});
}

TEST_CASE("a vault is not destroyed when there is no room for its last certificate") {
  const auto said = on_own_disk("48k", [](const fs::path& disk, const Telling& parent) {
    const History history;
    history.put_back("new");
    const auto destroy = [&](const fs::path& certificate) {
      Vault vault(must(history.open()));
      const auto done = vault.destroy(certificate, "test");
      return done ? done->certificate_problem : std::string(name_of(done.error().code()));
    };
    parent.tell(destroy(disk / "last"));
    parent.tell(opening(history));
    parent.tell(fs::is_empty(disk) ? "nothing left" : "something left");
    const fs::path kept = history.path("last");
    parent.tell("destroyed" + destroy(kept));
    parent.tell(std::to_string(bytes_of_file(kept).front()));
    parent.tell(opening(history));
  });
  if (!said.empty())
    CHECK(said == std::vector<std::string>{"full", "whole", "nothing left", "destroyed",
                                           std::to_string('{'), "erased"});
}

TEST_CASE("I-19: a full disk: nothing is changed, reads work, and erasing does too") {
  const auto said = on_own_disk("24m", [](const fs::path& disk, const Telling& parent) {
    const VaultPlace place(disk);
    auto core = must(place.create());
    Vault vault(core);
    must(vault.create_scope("acme"));
    must(put_known(vault, "acme", "small"));
    must(vault.create_scope("globex"));
    must(put_known(vault, "globex", "large"));
    Result<void> put;
    int written = 0;
    while ((put = put_known(vault, "globex", "large" + std::to_string(written)))) ++written;
    parent.tell(name_of(put.error().code()));
    parent.tell(reading(vault, "globex", "large" + std::to_string(written)));
    for (int i = 0; i < 5; ++i) static_cast<void>(put_known(vault, "globex", "large-more"));
    std::set<std::string> seen;
    for (int i = 0; i < written; ++i)
      seen.insert(reading(vault, "globex", "large" + std::to_string(i)));
    parent.tell(seen.size() == 1 ? *seen.begin() : "differs");
    const auto erased = erase(vault, "globex");
    parent.tell(erased ? "done" : erased.error().context());
    parent.tell(reading(vault, "globex", "large"));
    parent.tell(reading(vault, "acme", "small"));
    parent.tell(must(vault.check()).damages.empty() ? "sound" : "damaged");
  });
  if (!said.empty())
    CHECK(said ==
          std::vector<std::string>{"full", "absent", "whole", "done", "erased", "whole", "sound"});
}
