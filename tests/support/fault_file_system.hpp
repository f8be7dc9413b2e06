// A file system that counts, fails where it is told to, and loses in a crash what was not synced.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "storage/file.hpp"
#include "support/durable_tree.hpp"

namespace quietus::test {

// Works on the real disk through another file system, so that what a crash leaves can be looked at
// with anything. Every call of FileSystem and File but describe() is one operation. Of a write that
// fails, the first half is done; of anything else that fails, nothing. Thread-safe, except that
// File objects are not shared. Must outlive its files.
class FaultFileSystem final : public FileSystem {
 public:
  explicit FaultFileSystem(FileSystem& real = posix_file_system()) : real_(real) {}

  // The n-th operation from now (1: the next) fails, once.
  void fail_at(std::uint64_t n, ErrorCode code) { plan(n, code, false); }
  // So does every one after it: the device is gone.
  void fail_from(std::uint64_t n, ErrorCode code) { plan(n, code, true); }
  void fail_no_more() { plan(0, ErrorCode::kIo, false); }

  std::uint64_t operations() const { return counted(operations_); }
  std::uint64_t syncs() const { return counted(syncs_); }  // of files and of folders
  std::uint64_t bytes_written() const { return counted(bytes_written_); }
  // Whether a planned failure has been met.
  bool failed() const {
    const std::lock_guard lock(mutex_);
    return failed_;
  }

  // The power is cut: what was not synced is forgotten, and files that were open are of no more
  // use.
  void crash() {
    const std::lock_guard lock(mutex_);
    tree_.restore();
    ++life_;
  }

  Result<std::unique_ptr<File>> open(const std::filesystem::path& path, Open how) override;
  Result<void> remove(const std::filesystem::path& path) override {
    const std::lock_guard lock(mutex_);
    QUIETUS_TRY(step());
    tree_.know(path);
    QUIETUS_TRY(real_.remove(path));
    tree_.removed(path);
    return {};
  }
  Result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    const std::lock_guard lock(mutex_);
    QUIETUS_TRY(step());
    tree_.know(from);
    tree_.know(to);
    QUIETUS_TRY(real_.rename(from, to));
    tree_.renamed(from, to);
    return {};
  }
  Result<bool> exists(const std::filesystem::path& path) override {
    const std::lock_guard lock(mutex_);
    QUIETUS_TRY(step());
    return real_.exists(path);
  }
  Result<std::vector<std::string>> list(const std::filesystem::path& folder) override {
    const std::lock_guard lock(mutex_);
    QUIETUS_TRY(step());
    return real_.list(folder);
  }
  Result<void> make_folder(const std::filesystem::path& folder) override {
    const std::lock_guard lock(mutex_);
    QUIETUS_TRY(step());
    return real_.make_folder(folder);
  }
  Result<void> sync_folder(const std::filesystem::path& folder) override {
    const std::lock_guard lock(mutex_);
    QUIETUS_TRY(step());
    ++syncs_;
    QUIETUS_TRY(real_.sync_folder(folder));
    tree_.synced_folder(folder);
    return {};
  }
  MediumDescription describe(const std::filesystem::path& path) override {
    return real_.describe(path);
  }

 private:
  class FaultFile;

  void plan(std::uint64_t n, ErrorCode code, bool for_ever) {
    const std::lock_guard lock(mutex_);
    steps_left_ = n;
    code_ = code;
    for_ever_ = for_ever;
    failed_ = false;
  }

  std::uint64_t counted(const std::uint64_t& counter) const {
    const std::lock_guard lock(mutex_);
    return counter;
  }

  // One more operation; its error when it is to fail.
  Result<void> step() {
    ++operations_;
    if (!(for_ever_ && failed_)) {
      if (steps_left_ == 0 || --steps_left_ > 0) return {};
    }
    failed_ = true;
    return Error(code_, "a planned failure");
  }

  FileSystem& real_;
  mutable std::mutex mutex_;  // guards what follows
  DurableTree tree_;
  std::uint64_t life_ = 0;
  std::uint64_t operations_ = 0;
  std::uint64_t syncs_ = 0;
  std::uint64_t bytes_written_ = 0;
  std::uint64_t steps_left_ = 0;
  ErrorCode code_ = ErrorCode::kIo;
  bool for_ever_ = false;
  bool failed_ = false;
};

class FaultFileSystem::FaultFile final : public File {
 public:
  FaultFile(FaultFileSystem& files, std::unique_ptr<File> real, DurableTree::Content durable)
      : files_(files), real_(std::move(real)), durable_(std::move(durable)), life_(files.life_) {}

  Result<void> read_at(std::uint64_t offset, MutableBytes to) override {
    const std::lock_guard lock(files_.mutex_);
    QUIETUS_TRY(step());
    return real_->read_at(offset, to);
  }
  Result<void> write_at(std::uint64_t offset, ByteView from) override {
    const std::lock_guard lock(files_.mutex_);
    QUIETUS_TRY(alive());
    Result<void> stepped = files_.step();
    const ByteView written = stepped ? from : from.first(from.size() / 2);
    QUIETUS_TRY(real_->write_at(offset, written));
    files_.bytes_written_ += written.size();
    return stepped;
  }
  // A sync that was made to fail leaves the file as useless as a real one does.
  Result<void> sync() override {
    const std::lock_guard lock(files_.mutex_);
    QUIETUS_TRY(alive());
    ++files_.syncs_;
    if (auto stepped = files_.step(); !stepped) {
      sync_failed_ = true;
      return stepped;
    }
    QUIETUS_TRY(real_->sync());
    if (!durable_) return {};
    QUIETUS_TRY_AS(const std::uint64_t size, real_->size());
    durable_->resize(size);
    return real_->read_at(0, *durable_);
  }
  Result<std::uint64_t> size() override {
    const std::lock_guard lock(files_.mutex_);
    QUIETUS_TRY(step());
    return real_->size();
  }
  Result<void> resize(std::uint64_t size) override {
    const std::lock_guard lock(files_.mutex_);
    QUIETUS_TRY(step());
    return real_->resize(size);
  }
  Result<bool> deallocate() override {
    const std::lock_guard lock(files_.mutex_);
    QUIETUS_TRY(step());
    return real_->deallocate();
  }

 private:
  Result<void> alive() const {
    if (life_ == files_.life_ && !sync_failed_) return {};
    return Error(ErrorCode::kIo, "the file was lost in a crash or by a failed sync");
  }
  Result<void> step() {
    QUIETUS_TRY(alive());
    return files_.step();
  }

  FaultFileSystem& files_;
  std::unique_ptr<File> real_;
  DurableTree::Content durable_;  // null when opened for reading
  std::uint64_t life_;
  bool sync_failed_ = false;
};

inline Result<std::unique_ptr<File>> FaultFileSystem::open(const std::filesystem::path& path,
                                                           Open how) {
  const std::lock_guard lock(mutex_);
  QUIETUS_TRY(step());
  DurableTree::Content durable = how == Open::kReadWrite ? tree_.know(path) : nullptr;
  QUIETUS_TRY_AS(auto real, real_.open(path, how));
  if (how == Open::kCreate) durable = tree_.created(path);
  return std::unique_ptr<File>(
      std::make_unique<FaultFile>(*this, std::move(real), std::move(durable)));
}

}  // namespace quietus::test
