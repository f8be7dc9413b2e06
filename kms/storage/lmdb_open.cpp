// Opening an environment: what must be true of the file first, and what is looked at afterwards.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "storage/file.hpp"
#include "storage/folder_of.hpp"
#include "storage/lmdb_environment.hpp"
#include "storage/lmdb_error.hpp"
#include "storage/lmdb_file_check.hpp"
#include "storage/lmdb_free_list.hpp"

namespace quietus {
namespace {

constexpr unsigned kMaxTables = 16;
constexpr unsigned kMaxReaders = 1024;
constexpr mode_t kMode = 0600;
constexpr std::uint64_t kSmallestMap = std::uint64_t{8} << 20;

// The table and the row that say what the file is.
constexpr const char* kFormatTable = "quietus";
constexpr std::string_view kFormatKey = "format";
constexpr std::uint16_t kFormatVersion = 1;

class Descriptor {
 public:
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  int number() const noexcept { return number_; }

 private:
  int number_;
};

Error error_of(int error, const std::filesystem::path& path) {
  if (error == EEXIST)
    return Error(ErrorCode::kAlreadyExists, path.string() + ": is there already");
  return lmdb_error(error, path.string());
}

std::filesystem::path lock_file_of(const std::filesystem::path& path) {
  return path.string() + "-lock";
}

// Makes an empty file or checks the one that is there, and claims it for this process. LMDB's lock
// file must never be opened here: closing it would drop LMDB's locks.
Result<OpenFileClaim> claim_file(const std::filesystem::path& path, const LmdbOptions& options) {
  const int how = options.create ? O_RDWR | O_CREAT | O_EXCL : O_RDONLY;
  const Descriptor file(::open(path.c_str(), how | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, kMode));
  if (file.number() < 0) return error_of(errno, path);
  struct stat status {};
  if (fstat(file.number(), &status) != 0) return error_of(errno, path);
  auto claim = OpenFileClaim::take(status.st_dev, status.st_ino);
  if (!claim) return Error(ErrorCode::kBusy, path.string() + ": open in this process already");
  if (!options.create) QUIETUS_TRY(check_lmdb_file(file.number()).within(path.string()));
  return std::move(*claim);
}

bool is_claimed_file(int descriptor, const OpenFileClaim& claim) noexcept {
  struct stat status {};
  return fstat(descriptor, &status) == 0 && status.st_dev == claim.device() &&
         status.st_ino == claim.inode();
}

Bytes format_row(const LmdbSchema& schema) {
  const auto kind = static_cast<std::uint8_t>(schema.kind);
  return ByteWriter().u16(kFormatVersion).u8(kind).raw(schema.vault).take();
}

Result<void> check_format(ByteView row, const LmdbSchema& schema) {
  ByteReader reader(row);
  const std::uint16_t version = reader.u16();
  if (!reader.failed() && version > kFormatVersion)
    return Error(ErrorCode::kUnsupported, "store: written by a newer version");
  const bool same_kind = reader.u8() == static_cast<std::uint8_t>(schema.kind);
  const auto vault = reader.array<std::tuple_size_v<VaultId>>();
  if (!same_kind || version != kFormatVersion || !reader.done())
    return Error(ErrorCode::kCorrupt, "not a store of this kind");
  if (vault != schema.vault) return Error(ErrorCode::kCorrupt, "the store of another vault");
  return {};
}

// ulimit -v is answered with ENOMEM, valgrind's limit with EINVAL.
bool no_address_space(int rc) noexcept {
  return rc == ENOMEM || rc == EINVAL;
}

// For a process that is not given as much as was asked for: it maps two stores, and needs some for
// itself.
std::uint64_t modest_map(std::uint64_t wanted) noexcept {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted / 2;
  return std::min<std::uint64_t>(wanted / 2, limit.rlim_cur / 8);
}

MDB_dbi no_table() noexcept {
  return 0;
}

}  // namespace

Result<std::unique_ptr<LmdbEnvironment>> LmdbEnvironment::open(const std::filesystem::path& path,
                                                               const LmdbOptions& options,
                                                               const LmdbSchema& schema) {
  if (options.create && options.read_only)
    return Error(ErrorCode::kInvalidArgument, "a store is not created for reading only");
  QUIETUS_TRY_AS(OpenFileClaim claim, claim_file(path, options));
  std::unique_ptr<LmdbEnvironment> made(new LmdbEnvironment(std::move(claim), options.read_only));
  Result<void> done = made->start(path, options);
  if (done) done = options.create ? made->make_tables(schema) : made->find_tables(schema);
  if (done && options.create) done = posix_file_system().sync_folder(folder_of(path));
  if (done) return made;
  made.reset();
  if (options.create) {
    unlink(path.c_str());
    unlink(lock_file_of(path).c_str());
  }
  return std::move(done).error().within(path.string());
}

// Never MDB_NOSYNC, MDB_NOMETASYNC, MDB_MAPASYNC, MDB_WRITEMAP or MDB_NOMEMINIT.
int LmdbEnvironment::map(const std::filesystem::path& path, bool read_only, std::uint64_t size) {
  const std::uint64_t os_page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  int rc = mdb_env_create(&env_);
  if (rc != MDB_SUCCESS) return rc;
  rc = mdb_env_set_mapsize(env_, (size + os_page - 1) / os_page * os_page);
  if (rc == MDB_SUCCESS) rc = mdb_env_set_maxdbs(env_, kMaxTables);
  if (rc == MDB_SUCCESS) rc = mdb_env_set_maxreaders(env_, kMaxReaders);
  const unsigned flags =
      MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD | (read_only ? unsigned{MDB_RDONLY} : 0U);
  if (rc == MDB_SUCCESS) rc = mdb_env_open(env_, path.c_str(), flags, kMode);
  if (rc == MDB_SUCCESS) return rc;
  mdb_env_close(env_);
  env_ = nullptr;
  return rc;
}

Result<void> LmdbEnvironment::start(const std::filesystem::path& path, const LmdbOptions& options) {
  int rc = map(path, options.read_only, options.map_size);
  if (no_address_space(rc)) {
    shrunk_ = true;
    for (std::uint64_t size = modest_map(options.map_size); size >= kSmallestMap; size /= 2) {
      rc = map(path, options.read_only, size);
      if (!no_address_space(rc)) break;
    }
  }
  if (rc == ENOMEM)
    return Error(ErrorCode::kUnavailable,
                 "this process is given too little address space for the store (ulimit -v)");
  if (rc != MDB_SUCCESS) return lmdb_error(rc, "opening");
  mdb_env_get_fd(env_, &descriptor_);
  // LMDB sets it on its other descriptors itself.
  if (fcntl(descriptor_, F_SETFD, FD_CLOEXEC) != 0) return lmdb_error(errno, "opening");
  if (!is_claimed_file(descriptor_, claim_))
    return Error(ErrorCode::kIo, "the file was replaced while it was opened");
  MDB_stat stat{};
  mdb_env_stat(env_, &stat);
  page_size_ = stat.ms_psize;
  rc = shrunk_ ? map_what_is_used() : MDB_SUCCESS;
  if (rc != MDB_SUCCESS) return lmdb_error(rc, "mapping the store");
  rc = mdb_reader_check(env_, &cleared_at_start_);
  if (rc != MDB_SUCCESS) return lmdb_error(rc, "clearing stale readers");
  return settle_tail();
}

Result<void> LmdbEnvironment::make_tables(const LmdbSchema& schema) {
  return write([&](LmdbRows& rows) -> Result<void> {
    tables_.clear();
    MDB_dbi format = no_table();
    int rc = mdb_dbi_open(rows.transaction(), kFormatTable, MDB_CREATE, &format);
    for (const char* const name : schema.tables) {
      tables_.push_back(no_table());
      if (rc == MDB_SUCCESS)
        rc = mdb_dbi_open(rows.transaction(), name, MDB_CREATE, &tables_.back());
    }
    if (rc != MDB_SUCCESS) return lmdb_error(rc, "making the tables");
    return rows.put(format, as_bytes(kFormatKey), format_row(schema));
  });
}

// Handles of tables outlive the transaction that opened them only when it is committed, so this is
// not one of the pool.
Result<void> LmdbEnvironment::find_tables(const LmdbSchema& schema) {
  MDB_txn* transaction = nullptr;
  const int rc = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &transaction);
  if (rc != MDB_SUCCESS) return lmdb_error(rc, "reading the format");
  Result<void> found = find_tables(schema, transaction);
  if (!found) {
    mdb_txn_abort(transaction);
    return found;
  }
  const int committed = mdb_txn_commit(transaction);
  if (committed != MDB_SUCCESS) return lmdb_error(committed, "reading the format");
  return {};
}

Result<void> LmdbEnvironment::find_tables(const LmdbSchema& schema, MDB_txn* transaction) {
  MDB_dbi format = no_table();
  int rc = mdb_dbi_open(transaction, kFormatTable, 0, &format);
  if (rc == MDB_NOTFOUND) return Error(ErrorCode::kCorrupt, "an LMDB file, but not a store");
  if (rc != MDB_SUCCESS) return lmdb_error(rc, "reading the format");
  LmdbRows rows(transaction, page_size_);
  QUIETUS_TRY_AS(const auto row, rows.get(format, as_bytes(kFormatKey)));
  QUIETUS_TRY(check_format(row.value_or(ByteView()), schema));
  for (const char* const name : schema.tables) {
    tables_.push_back(no_table());
    rc = mdb_dbi_open(transaction, name, 0, &tables_.back());
    if (rc == MDB_NOTFOUND) return Error(ErrorCode::kCorrupt, "a table is missing");
    if (rc != MDB_SUCCESS) return lmdb_error(rc, "opening a table");
  }
  return {};
}

}  // namespace quietus
