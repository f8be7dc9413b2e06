#include "direct_writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <system_error>

namespace quietus::cli {
namespace {

bool set_direct(int descriptor, bool direct) {
  const int flags = fcntl(descriptor, F_GETFL);
  if (flags < 0) return false;
  return fcntl(descriptor, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

}  // namespace

std::unique_ptr<DirectWriter> DirectWriter::over(int descriptor) {
  if (!set_direct(descriptor, true)) return nullptr;
  try {
    return std::unique_ptr<DirectWriter>(new DirectWriter(descriptor));
  } catch (const std::system_error&) {  // no more threads
  } catch (const std::bad_alloc&) {
  }
  (void)set_direct(descriptor, false);
  return nullptr;
}

DirectWriter::DirectWriter(int descriptor)
    : descriptor_(descriptor), size_(lseek(descriptor, 0, SEEK_CUR)), reserved_(size_) {
  for (Buffer& buffer : buffers_) {
    buffer.reset(static_cast<std::uint8_t*>(std::aligned_alloc(kAlignment, kPiece)));
    if (!buffer) throw std::bad_alloc();
  }
  thread_ = std::thread([this] { run(); });
}

DirectWriter::~DirectWriter() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

int DirectWriter::write(ByteView bytes) {
  size_ += static_cast<std::int64_t>(bytes.size());
  if (const int failed = reserve(); failed != 0) return failed;
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), kPiece - filled_);
    std::copy_n(bytes.data(), size, buffers_[filling_].get() + filled_);
    filled_ += size;
    bytes = bytes.subspan(size);
    if (filled_ < kPiece) continue;
    if (const int failed = hand_over(); failed != 0) return failed;
  }
  return 0;
}

// A full device is told of before what will not fit is taken.
int DirectWriter::reserve() {
  if (!reserves_ || size_ <= reserved_) return 0;
  const std::int64_t needed = size_ - reserved_;
  for (const std::int64_t more : {std::max(needed, kReserve), needed}) {
    int done = 0;
    do done = fallocate(descriptor_, 0, reserved_, more);
    while (done != 0 && errno == EINTR);
    if (done == 0) {
      reserved_ += more;
      return 0;
    }
    if (errno == EOPNOTSUPP || errno == ENOSYS) {
      reserves_ = false;
      return 0;
    }
  }
  return errno;
}

int DirectWriter::hand_over() {
  if (const int failed = settle(); failed != 0) return failed;
  {
    const std::lock_guard lock(mutex_);
    busy_ = true;
    filling_ ^= 1;
    filled_ = 0;
  }
  changed_.notify_all();
  return 0;
}

// Waits until the other buffer is free.
int DirectWriter::settle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !busy_; });
  return error_;
}

int DirectWriter::finish() {
  if (const int failed = settle(); failed != 0) return failed;
  // The rest is of any size.
  if (!set_direct(descriptor_, false)) return errno;
  if (const int failed = write_all({buffers_[filling_].get(), filled_}); failed != 0) return failed;
  return reserved_ <= size_ || ftruncate(descriptor_, size_) == 0 ? 0 : errno;
}

void DirectWriter::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return busy_ || ended_; });
    if (!busy_) return;
    const std::uint8_t* const full = buffers_[filling_ ^ 1].get();
    lock.unlock();
    const int failed = write_all({full, kPiece});
    lock.lock();
    if (failed != 0) error_ = failed;
    busy_ = false;
    changed_.notify_all();
  }
}

int DirectWriter::write_all(ByteView bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(written));
      continue;
    }
    const int failed = errno;
    if (failed == EINTR) continue;
    // A file system that takes the flag and then no such write, or a part of one.
    const bool direct = (fcntl(descriptor_, F_GETFL) & O_DIRECT) != 0;
    if (failed != EINVAL || !direct || !set_direct(descriptor_, false)) return failed;
  }
  return 0;
}

}  // namespace quietus::cli
