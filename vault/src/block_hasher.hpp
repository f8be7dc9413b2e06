// The tree over the blocks of a backup. Hashing takes longer than everything else that is done with
// a block, so large ones are hashed on threads of their own meanwhile.
#pragma once

#include <array>
#include <memory>

#include "evidence/merkle_tree.hpp"

namespace quietus {

class BlockHasher {
 public:
  BlockHasher();
  ~BlockHasher();
  BlockHasher(const BlockHasher&) = delete;
  BlockHasher& operator=(const BlockHasher&) = delete;

  // The next leaf: kind || content of the block. Takes the content and leaves another buffer, with
  // anything in it, in its place; the view is valid until the next call but one.
  ByteView add(std::uint8_t kind, Bytes& block);
  Hash root();

 private:
  class Worker;
  // Used in turn, so that the leaves come in their order.
  struct Slot {
    Bytes block;
    std::unique_ptr<Worker> worker;  // from its first large block on
    bool pending = false;            // the worker has the block
  };
  void settle(Slot& slot);
  void settle_all();
  bool has_worker(Slot& slot) const;
  void push(const Hash& leaf);

  GrowingTree tree_;
  std::array<Slot, 2> slots_;
  std::size_t next_ = 0;
};

}  // namespace quietus
