#include "storage/medium.hpp"

#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include <array>
#include <fstream>
#include <iomanip>
#include <sstream>
#include <string>

namespace quietus {
namespace {

using Answer = MediumDescription::Answer;

struct KnownFileSystem {
  std::uint64_t magic;
  const char* name;
  Answer overwrites_in_place;
  Answer local;
};

// Overwriting in place is what the file system does with a file that was made as an ordinary one:
// XFS can share blocks between files, but only where somebody asked it to (reflink), so it counts
// as in place for files that are freshly created. What the device below does with a block is
// another question, and snapshots below the file system are seen by nobody here.
constexpr std::array kKnown = {
    KnownFileSystem{0xEF53, "ext2/ext3/ext4", Answer::kYes, Answer::kYes},
    KnownFileSystem{0x58465342, "xfs", Answer::kYes, Answer::kYes},
    KnownFileSystem{0x01021994, "tmpfs", Answer::kYes, Answer::kYes},
    KnownFileSystem{0x858458F6, "ramfs", Answer::kYes, Answer::kYes},
    KnownFileSystem{0x4D44, "fat", Answer::kYes, Answer::kYes},
    KnownFileSystem{0x2011BAB0, "exfat", Answer::kYes, Answer::kYes},
    KnownFileSystem{0x9123683E, "btrfs", Answer::kNo, Answer::kYes},
    KnownFileSystem{0x2FC12FC1, "zfs", Answer::kNo, Answer::kYes},
    KnownFileSystem{0xCA451A4E, "bcachefs", Answer::kNo, Answer::kYes},
    KnownFileSystem{0xF2F52010, "f2fs", Answer::kNo, Answer::kYes},
    KnownFileSystem{0x3434, "nilfs", Answer::kNo, Answer::kYes},
    KnownFileSystem{0x24051905, "ubifs", Answer::kNo, Answer::kYes},
    KnownFileSystem{0x72B6, "jffs2", Answer::kNo, Answer::kYes},
    KnownFileSystem{0x794C7630, "overlay", Answer::kUnknown, Answer::kUnknown},
    KnownFileSystem{0x65735546, "fuse", Answer::kUnknown, Answer::kUnknown},
    KnownFileSystem{0x6969, "nfs", Answer::kUnknown, Answer::kNo},
    KnownFileSystem{0xFF534D42, "cifs", Answer::kUnknown, Answer::kNo},
    KnownFileSystem{0xFE534D42, "smb2", Answer::kUnknown, Answer::kNo},
    KnownFileSystem{0x517B, "smb", Answer::kUnknown, Answer::kNo},
    KnownFileSystem{0x00C36400, "ceph", Answer::kUnknown, Answer::kNo},
    KnownFileSystem{0x5346414F, "afs", Answer::kUnknown, Answer::kNo},
    KnownFileSystem{0x01021997, "9p", Answer::kUnknown, Answer::kNo},
};

std::string unknown_name(std::uint64_t magic) {
  std::ostringstream name;
  name << "unknown (0x" << std::hex << magic << ")";
  return name.str();
}

Answer read_rotational(const std::filesystem::path& file) {
  std::ifstream input(file);
  char answer = 0;
  if (!input.get(answer)) return Answer::kUnknown;
  return answer == '1' ? Answer::kYes : answer == '0' ? Answer::kNo : Answer::kUnknown;
}

// As the kernel says; a partition is answered for by its disk. File systems without a block device
// of their own (major 0) are not answered for.
Answer rotational(dev_t device) {
  if (major(device) == 0) return Answer::kUnknown;
  const std::filesystem::path block =
      "/sys/dev/block/" + std::to_string(major(device)) + ":" + std::to_string(minor(device));
  const Answer own = read_rotational(block / "queue" / "rotational");
  return own != Answer::kUnknown ? own : read_rotational(block / ".." / "queue" / "rotational");
}

bool journals_data(dev_t device) {
  std::ifstream mounts("/proc/self/mountinfo");
  return mount_journals_data(mounts,
                             std::to_string(major(device)) + ":" + std::to_string(minor(device)));
}

}  // namespace

bool mount_journals_data(std::istream& mounts, const std::string& device) {
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string id;
    std::string parent;
    std::string of;
    words >> id >> parent >> of;
    if (of == device && line.find("data=journal") != std::string::npos) return true;
  }
  return false;
}

MediumDescription describe_file_system(std::uint64_t magic) {
  MediumDescription medium;
  medium.file_system = unknown_name(magic);
  for (const KnownFileSystem& known : kKnown) {
    if (known.magic != magic) continue;
    medium.file_system = known.name;
    medium.overwrites_in_place = known.overwrites_in_place;
    medium.local = known.local;
  }
  return medium;
}

MediumDescription describe_medium(const std::filesystem::path& path) {
  std::filesystem::path there = path.empty() ? std::filesystem::path(".") : path;
  struct statfs status {};
  while (statfs(there.c_str(), &status) != 0) {
    const std::filesystem::path parent = there.parent_path();
    if (there == parent) return {"unknown", Answer::kUnknown, Answer::kUnknown, Answer::kUnknown};
    there = parent.empty() ? std::filesystem::path(".") : parent;
  }
  // The field is a signed long; the numbers are of 32 bits.
  MediumDescription medium = describe_file_system(static_cast<std::uint32_t>(status.f_type));
  struct stat file {};
  if (stat(there.c_str(), &file) != 0) return medium;
  medium.rotational = rotational(file.st_dev);
  if (journals_data(file.st_dev)) {
    medium.file_system += " with data=journal";
    medium.overwrites_in_place = Answer::kNo;
  }
  return medium;
}

}  // namespace quietus
