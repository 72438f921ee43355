// A game's loop in a large scene: in each frame of 16 ms things move, some are replaced, and
// particles are born that die soon. A collection that stops the world makes its frame late, and
// others are missed meanwhile. With --incremental it comes in slices. Time is CPU time, so that
// other programs make no frame late. The game itself does not look at it: all runs do the same.
//
// To learn from: one program for both kinds of heap. All refs are stored through members, and an
// incremental heap asks for nothing else.
#include <algorithm>
#include <besom/besom.hpp>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <iomanip>
#include <iostream>
#include <vector>

#include "common/program.hpp"
#include "common/random.hpp"

using besom::Handle;
using besom::Heap;
using besom::Member;
using besom::RefArray;
using besom::Type;
using example::expect;
using example::require;

namespace {

constexpr double kFrameMs = 16;
constexpr std::uint32_t kPuffs = 8;              ///< Frames that a particle lives for.
constexpr std::uint32_t kParticlesPerMove = 16;  ///< Born in each frame.
constexpr std::uint32_t kMovesPerNew = 8;        ///< Moves for each entity that is replaced.

/// Where an entity is. A move makes a new one.
struct Transform {
  besom::Header header;
  float matrix[16];
  std::uint32_t moves;  ///< Of its entity, up to here.
  static besom::TypeDescriptor type() {
    return {.name = "Transform", .size = sizeof(Transform), .fields = {}};
  }
};

/// A node of the scene's tree, with its components.
struct Entity {
  besom::Header header;
  Member<Transform> transform;
  Member<besom::ByteArray> mesh;
  Member<Entity> children[2];
  static besom::TypeDescriptor type() {
    return {.name = "Entity",
            .size = sizeof(Entity),
            .fields = {{"transform", offsetof(Entity, transform)},
                       {"mesh", offsetof(Entity, mesh)},
                       {"child 0", offsetof(Entity, children[0])},
                       {"child 1", offsetof(Entity, children[1])}}};
  }
};

struct Particle {
  besom::Header header;
  Member<Particle> next;
  float place, speed;
  static besom::TypeDescriptor type() {
    return {.name = "Particle",
            .size = sizeof(Particle),
            .fields = {{"next", offsetof(Particle, next)}}};
  }
};

/// Stores what it allocates before the next allocation, in an object that a root leads to: so
/// nothing else needs roots.
class Game {
 public:
  Game(Heap& heap, std::uint64_t seed, std::uint64_t entities) : heap_(heap), random_(seed) {
    populate(scene_.get(), entities);
  }

  void play_frame(std::uint64_t moves) {
    for (std::uint64_t i = 0; i < moves; ++i) {
      move(pick().get());
      if (i % kMovesPerNew == 0) replace(pick());
    }
    Member<Particle>& puff = (*puffs_)[frame_++ % kPuffs];
    puff = nullptr;  // who was born so many frames ago dies, all at once
    for (std::uint64_t i = 0; i < moves * kParticlesPerMove; ++i) {
      Particle* particle = require(heap_.allocate(particles_), heap_);
      particle->speed = static_cast<float>(i);
      particle->next = puff;
      puff = particle;
    }
    for (std::uint32_t i = 0; i < kPuffs; ++i) {
      for (Particle* p = (*puffs_)[i].get(); p != nullptr; p = p->next.get()) p->place += p->speed;
    }
  }
  /// How many entities there are, and how often they moved, together.
  [[nodiscard]] std::uint64_t sum() const { return sum_of(scene_.get()); }

 private:
  /// The entity and those below it, `count` in all.
  void populate(Entity* entity, std::uint64_t count) {
    entity->transform = require(heap_.allocate(transforms_), heap_);
    entity->mesh = require(heap_.allocate(meshes_, 56), heap_);
    for (std::uint64_t i = 0; i < 2; ++i) {
      const std::uint64_t share = (count - 1 + i) / 2;
      if (share == 0) continue;
      entity->children[i] = require(heap_.allocate(entities_), heap_);
      populate(entity->children[i].get(), share);
    }
  }
  void move(Entity* entity) {
    Transform* moved = require(heap_.allocate(transforms_), heap_);
    for (int i = 0; i < 16; ++i) moved->matrix[i] = entity->transform->matrix[i] + 1;
    moved->moves = entity->transform->moves + 1;
    entity->transform = moved;
  }
  /// By one with another mesh.
  void replace(Member<Entity>& place) {
    const Entity* const old = place.get();
    place = require(heap_.allocate(entities_), heap_);
    place->transform = old->transform;
    std::copy_n(old->children, 2, place->children);
    place->mesh = require(heap_.allocate(meshes_, 56), heap_);
  }
  /// Where a random entity but the first one is stored. Objects never move, so the place is good
  /// also after an allocation.
  Member<Entity>& pick() {
    Member<Entity>* place = &scene_->children[1];
    while (Member<Entity>& child = (*place)->children[random_.below(2)]) place = &child;
    return *place;
  }
  static std::uint64_t sum_of(const Entity* entity) {
    if (entity == nullptr) return 0;
    return 1 + entity->transform->moves + sum_of(entity->children[0].get()) +
           sum_of(entity->children[1].get());
  }

  Heap& heap_;
  example::Random random_;
  Type<Transform> transforms_ = require(heap_.define<Transform>());
  Type<besom::ByteArray> meshes_ = require(heap_.define<besom::ByteArray>());
  Type<Entity> entities_ = require(heap_.define<Entity>());
  Type<Particle> particles_ = require(heap_.define<Particle>());
  Type<RefArray<Particle>> lists_ = require(heap_.define<RefArray<Particle>>());
  Handle<Entity> scene_ = require(heap_.make(entities_, 0, "scene"), heap_);
  /// For each of the last frames, the list of what was born in it.
  Handle<RefArray<Particle>> puffs_ = require(heap_.make(lists_, kPuffs, "particles"), heap_);
  std::uint64_t frame_ = 0;
};

double cpu_ms() { return static_cast<double>(std::clock()) * 1e3 / CLOCKS_PER_SEC; }

/// A bar for every few frames, as high as the longest of them. Each row is twice the one below.
void draw(const std::vector<double>& frames) {
  std::vector<double> bars(std::min<std::size_t>(frames.size(), 72));
  for (std::size_t i = 0; i < frames.size(); ++i) {
    double& bar = bars[i * bars.size() / frames.size()];
    bar = std::max(bar, frames[i]);
  }
  double row = kFrameMs;
  while (row * 2 <= *std::max_element(bars.begin(), bars.end())) row *= 2;
  for (; row >= 1; row /= 2) {
    std::cout << std::setw(5) << row << " ms ";
    for (const double bar : bars) std::cout << (bar < row ? " " : row < kFrameMs ? "▒" : "█");
    std::cout << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t entities = 3'000'000, frames = 2000, moves = 1000;
  example::Program program("frames", "A game that counts the frames it misses.");
  program.option("entities", "In the scene, 176 bytes each", entities, 100, 20'000'000);
  program.option("frames", "Frames that are played", frames, 1, 1'000'000);
  program.option("moves", "Entities that move in a frame", moves, 1, 1'000'000);

  return program.run(argc, argv, [&](Heap& heap) {
    Game game(heap, program.seed(), entities);
    expect(!heap.collect(), "a collection cannot fail");  // the level is loaded, nobody plays yet
    std::vector<double> times;
    for (std::uint64_t i = 0; i < frames; ++i) {
      const double begin = cpu_ms();
      game.play_frame(moves);
      times.push_back(cpu_ms() - begin);
    }
    program.did(frames, "frames");
    program.snapshot(heap);
    draw(times);
    std::uint64_t missed = 0;
    for (const double ms : times) missed += static_cast<std::uint64_t>(ms / kFrameMs);
    std::sort(times.begin(), times.end());
    std::cout << std::setprecision(3) << missed << " of " << example::count_text(frames, "frame")
              << " missed; " << times[frames / 2] << " ms in the median, " << times.back()
              << " ms at most\n";
    expect(game.sum() == entities + frames * moves, "neither an entity nor a move was lost");
  });
}
