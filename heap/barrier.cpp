#include "besom/barrier.hpp"

std::uint32_t besom_recorded_cards[1 << 16];
