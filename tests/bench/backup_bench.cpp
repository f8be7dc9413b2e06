// How fast backups are beside copying the files of a vault, and what writers notice of one:
//
//   backup_bench [GIGABYTES [FOLDER [ROUNDS]]]
//
// Fills a vault with that much data, and makes backups of it and copies of its files in turn: while
// nobody writes, and while four threads write as fast as they can. All is removed at the end.
// A program that is run by hand: its data are the same each time, and its one main thread asks for
// the environment.
// NOLINTBEGIN(cert-msc51-cpp,concurrency-mt-unsafe,cert-err34-c)
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>

#include <quietus/vault.hpp>

#include "direct_writer.hpp"
#include "support/measuring.hpp"

namespace {

using namespace quietus;
using namespace quietus::test;
using std::filesystem::path;

constexpr std::size_t kWriters = 4;
constexpr std::size_t kSmallRecord = 4096;
constexpr std::size_t kLargeRecord = std::size_t{32} << 20;
constexpr double kMebi = 1 << 20;

template <class T>
T need(Result<T> result) {
  if (!result) {
    (void)std::fprintf(stderr, "backup_bench: %s\n", result.error().context().c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

void need_system(bool done, const char* what) {
  if (done) return;
  std::perror(what);
  std::exit(1);
}

// A file that is on the device when it is closed.
class SyncedFile {
 public:
  explicit SyncedFile(const path& place)
      : descriptor_(open(place.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {
    need_system(descriptor_ >= 0, place.c_str());
  }
  SyncedFile(const SyncedFile&) = delete;
  SyncedFile& operator=(const SyncedFile&) = delete;
  ~SyncedFile() {
    need_system(writer_ == nullptr || writer_->finish() == 0, "write");
    need_system(fsync(descriptor_) == 0, "fsync");
    need_system(close(descriptor_) == 0, "close");
  }
  // As the command does it.
  Result<void> write(ByteView bytes) {
    if (writer_ == nullptr) writer_ = cli::DirectWriter::over(descriptor_);
    need_system(writer_ != nullptr && writer_->write(bytes) == 0, "write");
    return {};
  }

 private:
  int descriptor_;
  std::unique_ptr<cli::DirectWriter> writer_;
};

class Place {
 public:
  explicit Place(const path& below) {
    std::string name = (below / "backup-bench-XXXXXX").string();
    need_system(mkdtemp(name.data()) != nullptr, "mkdtemp");
    folder_ = name;
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  path at(const char* name) const { return folder_ / name; }

 private:
  path folder_;
};

// Four threads that write small records, and how long each of their writes took.
class Writers {
 public:
  explicit Writers(Vault& vault) : taken_(kWriters) {
    for (std::size_t i = 0; i < kWriters; ++i)
      threads_.emplace_back([this, &vault, i] { write(vault, i); });
  }
  Writers(const Writers&) = delete;
  Writers& operator=(const Writers&) = delete;
  ~Writers() { stop(); }

  // Seconds of every write, in ascending order.
  std::vector<double> stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    std::vector<double> all;
    for (const auto& some : taken_) all.insert(all.end(), some.begin(), some.end());
    std::ranges::sort(all);
    return all;
  }

 private:
  void write(Vault& vault, std::size_t number) {
    Scope scope = need(vault.scope("bench/writer-" + std::to_string(number)));
    const Bytes content(kSmallRecord, 1);
    for (std::size_t i = 0; !stop_; ++i) {
      const Timer timer;
      need(scope.put("w" + std::to_string(i % 1000), content));
      taken_[number].push_back(timer.seconds());
    }
  }

  std::atomic<bool> stop_{false};
  std::vector<std::vector<double>> taken_;
  std::vector<std::thread> threads_;
};

// Three quarters in large objects, the rest in small records.
void fill(Vault& vault, std::uint64_t bytes) {
  need(vault.create_scope("bench"));
  for (std::size_t i = 0; i < kWriters; ++i)
    need(vault.create_scope("bench/writer-" + std::to_string(i)));
  Scope large = need(vault.create_scope("bench/large"));
  std::mt19937_64 random(1);
  Bytes content(kLargeRecord);
  for (std::uint8_t& byte : content) byte = static_cast<std::uint8_t>(random());
  std::uint64_t number = 0;
  std::uint64_t filled = 0;
  for (; filled < bytes / 4 * 3; filled += kLargeRecord)
    need(large.put("l" + std::to_string(number++), content));
  Scope small = need(vault.create_scope("bench/small"));
  while (filled < bytes) {
    Batch batch;
    for (int i = 0; i < 500; ++i, filled += kSmallRecord)
      batch.put("s" + std::to_string(number++), ByteView(content).first(kSmallRecord));
    need(small.write(batch));
  }
}

struct Speed {
  std::uint64_t bytes = 0;
  double seconds = 0;

  void add(std::uint64_t more, double taken) {
    bytes += more;
    seconds += taken;
  }
  double mebibytes() const { return static_cast<double>(bytes) / seconds / kMebi; }
};

struct Speeds {
  Speed copies;
  Speed backups;
  std::uint64_t memory_kib = 0;
};

void copy_files(const Place& place, Speed& speed) {
  const Timer timer;
  const path from = place.at("vault");
  std::uint64_t bytes = 0;
  for (const char* name : {"records.mdb", "control.mdb"}) {
    const std::string to = place.at(name).string();
    const std::string command =
        "cp --reflink=never --sparse=never '" + (from / name).string() + "' '" + to + "'";
    need_system(std::system(command.c_str()) == 0, "cp");  // NOLINT(cert-env33-c): as people do
    const int descriptor = open(to.c_str(), O_RDONLY | O_CLOEXEC);
    need_system(descriptor >= 0 && fsync(descriptor) == 0 && close(descriptor) == 0, "fsync");
    bytes += std::filesystem::file_size(to);
  }
  speed.add(bytes, timer.seconds());
  for (const char* name : {"records.mdb", "control.mdb"}) std::filesystem::remove(place.at(name));
}

BackupInfo back_up(Vault& vault, const path& to, const BackupOptions& options = {}) {
  SyncedFile file(to);
  return need(vault.backups().create([&](ByteView piece) { return file.write(piece); }, options));
}

ByteSource source_of_file(std::FILE* file) {
  return [file](MutableBytes to) -> Result<std::size_t> {
    return std::fread(to.data(), 1, to.size(), file);
  };
}

Speeds measure(Vault& vault, const Place& place, int rounds) {
  Speeds speeds;
  for (int round = 0; round < rounds; ++round) {
    copy_files(place, speeds.copies);
    PeakMemory memory;
    const Timer timer;
    const BackupInfo made = back_up(vault, place.at("backup"));
    speeds.backups.add(made.bytes, timer.seconds());
    speeds.memory_kib = std::max(speeds.memory_kib, memory.stop());
    if (round + 1 < rounds) std::filesystem::remove(place.at("backup"));
  }
  return speeds;
}

void print_speeds(const char* when, const Speeds& speeds) {
  const double copy = speeds.copies.mebibytes();
  const double backup = speeds.backups.mebibytes();
  std::printf(
      "%s: copies %.0f MiB/s, backups %.0f MiB/s, ratio %.2f; all memory at most %.1f MiB\n", when,
      copy, backup, backup / copy, static_cast<double>(speeds.memory_kib) / 1024);
}

void print_writes(const char* when, const std::vector<double>& taken, double seconds) {
  const auto at = [&](double share) {
    const auto last = static_cast<double>(taken.size() - 1);
    return 1000 * taken.at(static_cast<std::size_t>(share * last));
  };
  std::printf("%s: %.0f writes/s; one takes %.1f ms (median), %.1f (99 %%), %.1f (longest)\n", when,
              static_cast<double>(taken.size()) / seconds, at(0.5), at(0.99), at(1));
}

// What the making alone costs, with a device that takes anything at once.
void to_nowhere(Vault& vault) {
  const Timer timer;
  const BackupInfo made = need(vault.backups().create([](ByteView) { return Result<void>(); }));
  std::printf("to nowhere: %.0f MiB/s\n",
              static_cast<double>(made.bytes) / timer.seconds() / kMebi);
}

template <class Work>
void beside_writers(Vault& vault, const char* when, Work work) {
  Writers writers(vault);
  const Timer timer;
  work();
  const double seconds = timer.seconds();
  print_writes(when, writers.stop(), seconds);
}

void check(Vault& vault, const path& backup) {
  std::FILE* const file = std::fopen(backup.c_str(), "rbe");
  need_system(file != nullptr, "fopen");
  const Timer timer;
  const OpenedBackup opened = need(vault.backups().verify(source_of_file(file)));
  (void)std::fclose(file);
  std::printf("verified: %llu of %llu records open, %s, %.0f MiB/s\n",
              static_cast<unsigned long long>(opened.opened),
              static_cast<unsigned long long>(opened.records),
              opened.sound() && opened.opened == opened.records ? "sound" : "NOT SOUND",
              static_cast<double>(opened.bytes) / timer.seconds() / kMebi);
}

void increment(Vault& vault, const Place& place) {
  std::FILE* const file = std::fopen(place.at("backup").c_str(), "rbe");
  need_system(file != nullptr, "fopen");
  BackupOptions options;
  options.base = source_of_file(file);
  const Timer timer;
  const BackupInfo made = back_up(vault, place.at("changes"), options);
  const double seconds = timer.seconds();
  (void)std::fclose(file);
  Speed copy;
  copy_files(place, copy);
  std::printf("incremental: %.1f MiB in %.2f of the time of a copy\n",
              static_cast<double>(made.bytes) / kMebi, seconds / copy.seconds);
}

}  // namespace

int main(int argc, char** argv) {
  (void)std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const double gigabytes = argc > 1 ? std::strtod(argv[1], nullptr) : 1;
  const int rounds = argc > 3 ? std::max(1, std::atoi(argv[3])) : 3;
  const Place place(argc > 2 ? argv[2] : ".");
  need(new_key_file(place.at("key")));
  CreateOptions options;
  options.root_folder = place.at("roots");
  options.accept_unknown_medium = true;
  Vault vault = need(Vault::create(place.at("vault"), Unlock::key_file(place.at("key")), options));
  fill(vault, static_cast<std::uint64_t>(gigabytes * 1e9));
  std::printf("%.1f GB of data\n", gigabytes);
  print_speeds("nobody writes", measure(vault, place, rounds));
  to_nowhere(vault);
  beside_writers(vault, "writers alone",
                 [] { std::this_thread::sleep_for(std::chrono::seconds(5)); });
  beside_writers(vault, "writers beside copies", [&] {
    Speed unused;
    for (int i = 0; i < rounds; ++i) copy_files(place, unused);
  });
  beside_writers(vault, "writers beside backups", [&] {
    for (int i = 0; i < rounds; ++i) back_up(vault, place.at("backup"));
  });
  beside_writers(vault, "writers beside both",
                 [&] { print_speeds("four write", measure(vault, place, rounds)); });
  check(vault, place.at("backup"));
  increment(vault, place);
  return 0;
}
// NOLINTEND(cert-msc51-cpp,concurrency-mt-unsafe,cert-err34-c)
