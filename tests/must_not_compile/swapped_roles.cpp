// expect: conversion|could not convert|invalid initialization
// A derived key serves the purpose it was derived for and no other.
#include "crypto/derive.hpp"

quietus::Prf128 stand_in(const quietus::NamePrfKey& names, quietus::ByteView name) {
  return quietus::prf128(names, name);
}

quietus::Prf128 of_name(const quietus::ScopeKey& scope, quietus::ByteView name) {
#ifdef QUIETUS_MISUSE
  return stand_in(quietus::derive(quietus::edges::kRecords, scope), name);
#else
  return stand_in(quietus::derive(quietus::edges::kNames, scope), name);
#endif
}
