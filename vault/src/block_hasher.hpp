// The tree over the blocks of a backup. Hashing takes about as long as everything else that is done
// with a block, so large ones are hashed on a thread of their own meanwhile.
#pragma once

#include <memory>

#include "evidence/merkle_tree.hpp"

namespace quietus {

class BlockHasher {
 public:
  BlockHasher();
  ~BlockHasher();
  BlockHasher(const BlockHasher&) = delete;
  BlockHasher& operator=(const BlockHasher&) = delete;

  // The next leaf: kind || content. The content must stay as it is until settle() returns, or the
  // next add(), which settles first.
  void add(std::uint8_t kind, ByteView content);
  void settle();
  Hash root();  // settles

 private:
  class Worker;
  void push(const Hash& leaf);

  std::unique_ptr<Worker> worker_;  // from the first large block on
  bool pending_ = false;            // the worker has one
  GrowingTree tree_;
};

}  // namespace quietus
