// What the doctor makes of a machine, shown to it in folders that look like /proc and /sys.
#include "surroundings.hpp"

#include <catch2/catch.hpp>

#include <fstream>

#include "storage/medium.hpp"
#include "support/temporary_folder.hpp"

using namespace quietus;        // NOLINT: a test
using namespace quietus::test;  // NOLINT: a test

namespace {

using Level = Finding::Level;

struct Machine {
  TemporaryFolder place;
  KernelFolders kernel{place.path() / "proc", place.path() / "sys"};
  Findings out;

  void write(const std::filesystem::path& file, const std::string& text) const {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text << "\n";
  }
  void swaps(const std::string& lines) const {
    write(kernel.proc / "swaps", "Filename\tType\tSize\tUsed\tPriority\n" + lines);
  }
  // A volume of the device mapper on the device 253:0, and one below it.
  void volume(const std::string& name, const std::string& below, const std::string& uuid) const {
    const auto block = kernel.sys / "dev/block/253:0";
    write(block / "dm/name", name);
    write(block / "slaves/dm-1/dm/name", below);
    write(block / "slaves/dm-1/dm/uuid", uuid);
  }
  Finding only() {
    REQUIRE(out.size() == 1);
    return out.front();
  }
  Finding snapshots(std::uint64_t magic = 0xEF53) {
    out.clear();
    look_at_snapshots("253:0", describe_file_system(magic), kernel, out);
    return only();
  }
  Finding file_system(std::uint64_t magic) {
    out.clear();
    look_at_file_system("records", place.path(), describe_file_system(magic), out);
    return only();
  }
  Finding swap() {
    out.clear();
    look_at_swap(kernel, out);
    return only();
  }
};

bool says(const Finding& finding, const std::string& text) {
  return finding.text.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("swap is named unless nothing can be read from it") {
  Machine machine;
  CHECK(machine.swap().level == Level::kOk);  // the kernel has none
  machine.swaps("");
  CHECK(machine.swap().text == "none");
  machine.swaps("/dev/sda3 partition 1000 0 -2\n/swapfile file 1000 0 -3");
  CHECK(machine.swap().level == Level::kNote);
  CHECK(says(machine.swap(), "/dev/sda3, /swapfile is in use"));
  machine.write(machine.kernel.sys / "block/dm-7/dm/uuid", "CRYPT-PLAIN-swap");
  machine.swaps("/dev/dm-7 partition 1000 0 -2\n/dev/zram0 partition 1000 0 100");
  CHECK(machine.swap().level == Level::kOk);
  machine.write(machine.kernel.sys / "block/dm-7/dm/uuid", "LVM-abc");
  CHECK(machine.swap().level == Level::kNote);
  CHECK(!says(machine.swap(), "zram"));
}

TEST_CASE("snapshots below the root slots are seen where they can be") {
  Machine machine;
  CHECK(machine.snapshots().level == Level::kOk);
  machine.volume("vg-root", "sda1_crypt", "CRYPT-LUKS2-x");
  CHECK(machine.snapshots().level == Level::kOk);
  machine.volume("vg-root", "vg-root-real", "LVM-abc-real");
  CHECK(machine.snapshots().level == Level::kWarning);
  CHECK(says(machine.snapshots(), "the volume vg-root "));
  machine.volume("vg-copy", "vg-copy-cow", "LVM-abc-cow");
  CHECK(machine.snapshots().level == Level::kWarning);
  machine.volume("vg-thin", "vg-pool-tpool", "LVM-abc-tpool");
  CHECK(machine.snapshots().level == Level::kNote);
  CHECK(says(machine.snapshots(), "thin volume vg-thin"));
}

TEST_CASE("a snapshot is seen below an encrypted volume too") {
  Machine machine;
  machine.volume("luks", "vg-root", "LVM-abc");
  machine.write(machine.kernel.sys / "dev/block/253:0/slaves/dm-1/slaves/dm-2/dm/name",
                "vg-root-real");
  CHECK(machine.snapshots().level == Level::kWarning);
  CHECK(says(machine.snapshots(), "the volume vg-root "));
}

TEST_CASE("file systems that keep snapshots are told of") {
  Machine machine;
  CHECK(machine.snapshots(0x9123683E).level == Level::kWarning);
  CHECK(says(machine.snapshots(0x2FC12FC1), "zfs"));
}

TEST_CASE("file systems that a vault should not be on") {
  Machine machine;
  CHECK(machine.file_system(0xEF53).level == Level::kOk);
  CHECK(machine.file_system(0x9123683E).level == Level::kOk);
  CHECK(machine.file_system(0x6969).level == Level::kProblem);
  CHECK(says(machine.file_system(0x6969), "move " + machine.place.path().string()));
  CHECK(machine.file_system(0x01021994).level == Level::kWarning);
  CHECK(machine.file_system(0x794C7630).level == Level::kNote);
  CHECK(machine.file_system(0x12345).level == Level::kNote);
}

TEST_CASE("core files that are piped come whatever the limit is") {
  Machine machine;
  machine.write(machine.kernel.proc / "sys/kernel/core_pattern",
                "|/usr/lib/systemd/systemd-coredump");
  look_at_core_files(machine.kernel, machine.out);
  const Finding finding = machine.only();
  CHECK(finding.level == Level::kNote);
  CHECK(says(finding, finding.text.starts_with("allowed") ? "ulimit -c 0" : "PR_SET_DUMPABLE"));
}
