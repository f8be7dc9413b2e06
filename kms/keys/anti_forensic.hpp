// Spreads a short secret over many sectors so that each of them is needed to get it back:
// destroying any one destroys all. The construction of LUKS (Fruhwirth, "New methods in hard disk
// encryption", 2005, chapter 5) with SHA-256 as diffusion.
#pragma once

#include <quietus/result.hpp>

namespace quietus {

// Requires: out.size() is a multiple of secret.size(), at least two of them. Fresh random on each
// call.
void anti_forensic_split(ByteView secret, MutableBytes out);

// Requires: material.size() is a multiple of secret.size().
void anti_forensic_merge(ByteView material, MutableBytes secret);

}  // namespace quietus
