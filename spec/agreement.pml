/*
 * Cairn's agreement (docs/protocol.md section 3, and the checkpoint lag of section 4) as a model for Spin.
 *
 * The rules carry the names they have in packages/core/src/protocol/agreement/: enterView, propose, notarize, certify,
 * nullify, finalize, helpBehind; spec/README.md says what is modelled, what is left out and why that is no loss.
 *
 * The network is a set of signed votes that only grows: whatever is in it may be read by anybody at any time, or never.
 * So loss, delay, repetition and reordering need no actions of their own. What a validator knows is not stored: it may know
 * whatever exists, and need not know it. A restart forgets knowledge and keeps own votes; so it is part of every step.
 *
 * The Byzantine validator has no state: it has voted for everything already, and says so to whom it likes. Hence a
 * certificate may exist as soon as QUORUM - FAULTS honest validators have voted for it. In the views it leads it proposes
 * whatever an honest validator would accept, something else to each.
 *
 * Read with one of these defined:
 *   (none)   safety: every state that honest validators and the Byzantine one can reach within VIEWS views
 *   CALM     the same, and from each of these states the calm run: see there
 *   TRACE    steps of a simulator run, each of which must be allowed: spec/trace.ts writes them
 *
 * WITHOUT_* removes a rule, so that it can be seen that the checker finds what the rule prevents.
 */

#ifndef HONEST
#define HONEST 3            /* n - f: honest validators; with the Byzantine one n = 4 */
#endif
#ifndef FAULTS
#define FAULTS 1            /* f */
#endif
#ifndef QUORUM
#define QUORUM 3            /* Q = n - f */
#endif
#ifndef VIEWS
#define VIEWS 3             /* the bound: views in which anything may happen */
#endif
#ifndef checkpointLag
#define checkpointLag 1     /* L */
#endif
#ifndef BYZANTINE_VIEWS
#define BYZANTINE_VIEWS 2   /* which views the Byzantine one leads: bit v for view v */
#endif

#ifdef CALM
#define PLACES (VIEWS + 4)  /* the calm run needs a few views more; 0 is the genesis */
#else
#define PLACES (VIEWS + 1)
#endif
#ifndef TRACE
#define isByzantine(v) ((BYZANTINE_VIEWS >> (v)) & 1)
#endif
#define bitOf(v) (1 << (v))
#define at(i, v) ((i) * PLACES + (v))

/* --- Proposals ------------------------------------------------------------------------------------------------------ */

/*
 * P = {view, parentView, block}. Within a view it is written as one number: its parentView, and whether its block is the
 * parent's again, or a new one. Two new ones are enough to equivocate. 0 is none.
 */
#define again 0
#define newBlock 1
#define otherBlock 2
#define P(parentView, kind) ((parentView) * KINDS + (kind) + 1)
#define parentViewOf(p) (((p) - 1) / KINDS)
#ifdef TRACE
#define KINDS 8 /* who equivocates may name more than two */
#define Proposal short
#else
#define KINDS 3
#define Proposal byte
#endif

/* --- State ---------------------------------------------------------------------------------------------------------- */

/* Own votes, durable before they are sent: `own.notarize`, `own.isNullified`, `own.finalize` in view-state.ts. */
Proposal ownNotarize[HONEST * PLACES];
bit ownNullified[HONEST * PLACES];
Proposal ownFinalize[HONEST * PLACES];
#ifdef WITHOUT_NULLIFY_PERSISTED
bit forgotten[HONEST * PLACES];
#define remembersNullify(i, v) (ownNullified[at(i, v)] && !forgotten[at(i, v)])
#else
#define remembersNullify(i, v) ownNullified[at(i, v)]
#endif
/* `views.current`; follows from own votes, but for a trace. */
byte view[HONEST];

/* What follows from the votes, kept at hand: certificates that may exist. */
Proposal notarization[PLACES];
#ifdef TRACE
bit nullification[PLACES];
bit finalization[PLACES];
#define isNullified(v) nullification[v]
#define isFinalized(v) finalization[v]
#define addNullification(v) nullification[v] = 1
#define addFinalization(v) finalization[v] = 1
#else
int nullifications; /* bit v for view v; a trace has more views than bits */
int finalizations;
#define isNullified(v) ((nullifications & bitOf(v)) != 0)
#define isFinalized(v) ((finalizations & bitOf(v)) != 0)
#define addNullification(v) nullifications = nullifications | bitOf(v)
#define addFinalization(v) finalizations = finalizations | bitOf(v)
#endif
/* The block's height where there is a notarization. */
byte height[PLACES];
/* What an honest leader has proposed: by its first Notarize. */
Proposal proposal[PLACES];
/* Highest finalized height. */
byte finalizedHeight;

#ifdef CALM
/* Certificates that some honest validator is sure to hold, since it has acted on them. Bit v for view v. */
int heldNotarizations, heldNullifications, heldFinalizations;
#endif
#ifdef TRACE
/* What each validator of the run has recorded: here knowledge is not free. */
bit holdsNotarization[HONEST * PLACES];
bit holdsNullification[HONEST * PLACES];
bit holdsFinalization[HONEST * PLACES];
bit certified[HONEST * PLACES];
byte lastFinalized[HONEST];
byte executedHeight[HONEST];
byte certifiedHeight[HONEST];
#endif

/* For loops within a step; 0 between steps. */
hidden byte count, i_, j_, v_, w_;
hidden Proposal swap;
hidden byte holds;

/* --- What rules ask ------------------------------------------------------------------------------------------------- */

#define between(p, v) ((bitOf(v) - 1) & ~(bitOf((p) + 1) - 1))

#ifdef TRACE

/* isUsable: genesis, finalized, or notarized and certified. */
#define isUsable(i, v) ((v) == 0 || certified[at(i, v)] || holdsFinalization[at(i, v)])
#define hasNullifications(i, p, v) (lackingCount == 0)
#define mayEnterBy(i, v) \
  ((v) == 1 || certified[at(i, (v) - 1)] || holdsNullification[at(i, (v) - 1)] || holdsFinalization[at(i, (v) - 1)])
#define isCheckpointCertified(i, h) ((h) <= certifiedHeight[i])
#define isAboveFinalized(i, p) ((p) >= lastFinalized[i])
/* Who led each view is known, and so is that the leader speaks first. */
#define isProposed(i, v, p, kind) \
  (isByzantine(v) || (proposal[v] == 0 && (i) == leaderOf(v)) || proposal[v] == P(p, kind))

/* How many views between have no nullification here. */
hidden byte lackingCount;
inline countLacking(i, p, v) {
  lackingCount = 0;
  for (v_ : p + 1 .. v - 1) {
    lackingCount = lackingCount + !holdsNullification[at(i, v_)]
  }
}

#else

/* isUsable: genesis, or notarized and certified. Who notarized has certified the parent, so certifying needs no more. */
#define isUsable(i, v) ((v) == 0 || notarization[v] != 0)

/* R3: a nullification of every view between. */
#ifdef WITHOUT_GAP_CHECK
#define hasNullifications(i, p, v) true
#else
#define hasNullifications(i, p, v) ((nullifications & between(p, v)) == between(p, v))
#endif

/* R1: what lets one enter view v. A finalization needs a notarization, so it lets nobody enter sooner. */
#define mayEnterBy(i, v) ((v) == 1 || notarization[(v) - 1] != 0 || isNullified((v) - 1))

/*
 * certifiedDigest(h) is not null: h is executed, and a quorum has signed the result. That may be so as soon as a block at
 * h or above is finalized.
 */
#ifdef WITHOUT_LAG
#define isCheckpointCertified(i, h) true
#else
#define isCheckpointCertified(i, h) ((h) <= finalizedHeight)
#endif

/* R3's "not below the last finalized one" only forbids, and only to those who know: here nobody has to. */
#define isAboveFinalized(i, p) true

/* R2: an honest leader proposes one thing; the first to notarize it is the leader. R3 takes no other. */
#define isProposed(i, v, p, kind) \
  (isByzantine(v) -> ((kind) != otherBlock || isFirstTaken(v, p)) \
    : ((kind) != otherBlock && (proposal[v] == 0 || proposal[v] == P(p, kind))))
/* Two new blocks differ in name only: which of them is notarized first does not matter. */
#define isFirstTaken(v, p) \
  (ownNotarize[at(0, v)] == P(p, newBlock) || ownNotarize[at(1, v)] == P(p, newBlock) \
    || ownNotarize[at(HONEST - 2, v)] == P(p, newBlock) || ownNotarize[at(HONEST - 1, v)] == P(p, newBlock))

#endif

#define heightOn(p, kind) (height[p] + ((kind) != again))

/* R3: the block is the parent's again, or a new one, and the checkpoint of its height - L is certified. */
#define isBlockValid(i, p, kind) \
  ((kind) == again -> (p) > 0 : (height[p] < checkpointLag || isCheckpointCertified(i, height[p] + 1 - checkpointLag)))

/* R3: whether i may notarize, in view v, the proposal with this parentView and kind of block. */
#define mayNotarize(i, v, p, kind) \
  (view[i] <= (v) && mayEnterBy(i, v) && ownNotarize[at(i, v)] == 0 && !remembersNullify(i, v) \
    && isUsable(i, p) && isAboveFinalized(i, p) && hasNullifications(i, p, v) && isBlockValid(i, p, kind) \
    && isProposed(i, v, p, kind))

/* R5: whether i may nullify view v. The time-out may come at any time. */
#ifdef WITHOUT_FINALIZE_FORBIDS_NULLIFY
#define mayNullify(i, v) (mayEnterBy(i, v) && !remembersNullify(i, v))
#else
#define mayNullify(i, v) (view[i] <= (v) && mayEnterBy(i, v) && !remembersNullify(i, v) && ownFinalize[at(i, v)] == 0)
#endif

/* R6: whether i may finalize view v, also one already left. */
#ifdef WITHOUT_NULLIFY_FORBIDS_FINALIZE
#define isNotNullified(i, v) true
#else
#define isNotNullified(i, v) (!remembersNullify(i, v))
#endif
/* R3, R6: what was notarized stands against another Notarize, so nobody finalizes against the own one. */
#ifdef WITHOUT_OWN_NOTARIZE_STANDS
#define isNotContradicted(i, v) true
#else
#define isNotContradicted(i, v) (ownNotarize[at(i, v)] == 0 || ownNotarize[at(i, v)] == notarization[v])
#endif
#ifdef TRACE
#define isCertifiedBy(i, v) (certified[at(i, v)] && (v) > lastFinalized[i])
#else
#define isCertifiedBy(i, v) (notarization[v] != 0)
#endif
#define mayFinalize(i, v) \
  (isCertifiedBy(i, v) && ownFinalize[at(i, v)] == 0 && isNotNullified(i, v) && isNotContradicted(i, v))

/* --- Properties, asserted where they could break; PROPERTY leaves only one of them ----------------------------------- */

hidden byte honestIsNotProvenFaulty, oneNotarizedProposalPerView, finalizationExcludesNullification,
  finalizedAreOnOneChain, staysNearTheCheckpoint, everybodyLeavesTheView, calmViewIsFinalized;

#ifdef PROPERTY
#define isChecked(number) (PROPERTY == (number))
#else
#define isChecked(number) true
#endif
#define check(number, property, isSo) property = (!isChecked(number) || (isSo)); assert(property)

/* 1: no honest validator signs what is a proof of fault (packages/core/src/protocol/guard/evidence.ts). */
#define isHonest(i, v) \
  (!(ownNullified[at(i, v)] && ownFinalize[at(i, v)] != 0) \
    && (ownNotarize[at(i, v)] == 0 || ownFinalize[at(i, v)] == 0 || ownNotarize[at(i, v)] == ownFinalize[at(i, v)]))

/* 2: one notarized proposal in a view. 3: a finalization excludes a nullification. 5: nobody builds more than L blocks above
   what is certified. */

/* Whether the chain of view b, by parentViews, goes through view a < b. */
inline goesThrough(a, b) {
  w_ = b;
  do
  :: w_ > a -> w_ = parentViewOf(notarization[w_])
  :: else -> break
  od;
  holds = (w_ == a)
}


/* 4, agreement: all finalized views lie on one chain. */
inline checkAgreement(v) {
  for (v_ : 1 .. VIEWS) {
    if
    :: isFinalized(v_) && v_ < v -> goesThrough(v_, v); check(4, finalizedAreOnOneChain, holds)
    :: isFinalized(v_) && v_ > v -> goesThrough(v, v_); check(4, finalizedAreOnOneChain, holds)
    :: else -> skip
    fi
  }
}

/* --- Votes, and what they make possible ----------------------------------------------------------------------------- */

#define isCertificate(votes) ((votes) >= QUORUM - FAULTS)

/* R1. A vote in a view is cast by one who has entered it. */
inline enterView(i, v) {
  if
  :: view[i] < v -> view[i] = v
  :: else -> skip
  fi
}

inline notarize(i, v, p, kind) {
  enterView(i, v);
  ownNotarize[at(i, v)] = P(p, kind);
  if
  :: !isByzantine(v) -> proposal[v] = P(p, kind)
  :: else -> skip
  fi;
  check(1, honestIsNotProvenFaulty, isHonest(i, v));
  count = 0;
  for (i_ : 0 .. HONEST - 1) {
    count = count + (ownNotarize[at(i_, v)] == P(p, kind))
  }
  if
  :: isCertificate(count) ->
    check(2, oneNotarizedProposalPerView, notarization[v] == 0 || notarization[v] == P(p, kind));
    notarization[v] = P(p, kind);
    height[v] = heightOn(p, kind);
    check(5, staysNearTheCheckpoint, height[v] <= finalizedHeight + checkpointLag)
  :: else -> skip
  fi
}

inline nullify(i, v) {
  enterView(i, v);
  ownNullified[at(i, v)] = 1;
  check(1, honestIsNotProvenFaulty, isHonest(i, v));
  count = 0;
  for (i_ : 0 .. HONEST - 1) {
    count = count + ownNullified[at(i_, v)]
  }
  if
  :: isCertificate(count) -> addNullification(v)
  :: else -> skip
  fi;
  check(3, finalizationExcludesNullification, !(isFinalized(v) && isNullified(v)))
}

/* R4, R6. Who finalizes has certified, and so has entered the next view. */
inline finalize(i, v) {
  enterView(i, v + 1);
  ownFinalize[at(i, v)] = notarization[v];
  check(1, honestIsNotProvenFaulty, isHonest(i, v));
  count = 0;
  for (i_ : 0 .. HONEST - 1) {
    count = count + (ownFinalize[at(i_, v)] == notarization[v])
  }
  if
  :: isCertificate(count) && !isFinalized(v) ->
    addFinalization(v);
    finalizedHeight = (height[v] > finalizedHeight -> height[v] : finalizedHeight);
    check(3, finalizationExcludesNullification, !(isFinalized(v) && isNullified(v)));
    checkAgreement(v)
  :: else -> skip
  fi
}

/* The step to be taken. */
mtype = { Notarize, Nullify, Finalize, Forget, Calm };
mtype = { EnterView, Notarization, Nullification, Finalization, Certify, Finalized, Execute, CheckpointCertified, Restart };
hidden mtype rule;
hidden byte who, inView, onParent, kind, atHeight;

#ifndef TRACE
/* --- Symmetry ------------------------------------------------------------------------------------------------------- */

/*
 * Honest validators differ only in what they signed: an honest leader is whoever notarizes first. So states that differ in
 * their order alone are one; the order kept is ascending.
 */
inline compare(a, b) {
  holds = false; /* whether a and b are to change places */
  for (v_ : 1 .. VIEWS) {
    if
    :: ownNotarize[at(a, v_)] != ownNotarize[at(b, v_)] ->
      holds = (ownNotarize[at(a, v_)] > ownNotarize[at(b, v_)]); break
    :: ownNullified[at(a, v_)] != ownNullified[at(b, v_)] ->
      holds = (ownNullified[at(a, v_)] > ownNullified[at(b, v_)]); break
    :: ownFinalize[at(a, v_)] != ownFinalize[at(b, v_)] ->
      holds = (ownFinalize[at(a, v_)] > ownFinalize[at(b, v_)]); break
    :: else -> skip
    fi
  }
}

#define exchange(x, y) swap = x; x = y; y = swap

inline order() {
  for (i_ : 1 .. HONEST - 1) {
    j_ = HONEST - 1;
    do
    :: j_ >= i_ ->
      compare(j_ - 1, j_);
      if
      :: holds ->
        exchange(view[j_ - 1], view[j_]);
        for (v_ : 1 .. VIEWS) {
          exchange(ownNotarize[at(j_ - 1, v_)], ownNotarize[at(j_, v_)]);
          exchange(ownNullified[at(j_ - 1, v_)], ownNullified[at(j_, v_)]);
#ifdef WITHOUT_NULLIFY_PERSISTED
          exchange(forgotten[at(j_ - 1, v_)], forgotten[at(j_, v_)]);
#endif
          exchange(ownFinalize[at(j_ - 1, v_)], ownFinalize[at(j_, v_)])
        }
      :: else -> skip
      fi;
      j_--
    :: else -> break
    od
  }
}


#ifdef CALM
/* --- What honest validators hold ------------------------------------------------------------------------------------ */

/* Who enters a view has an entry certificate; where two may exist, either of them. */
inline holdEntry(i, v) {
  if
  :: view[i] >= v || v == 1 -> skip
  :: view[i] < v && v > 1 && notarization[v - 1] != 0 -> holdNotarization(v - 1)
  :: view[i] < v && v > 1 && isNullified(v - 1) -> heldNullifications = heldNullifications | bitOf(v - 1)
  fi
}

/* Who has certified a view has certified its ancestors: those who notarized it hold them. */
inline holdNotarization(v) {
  heldNotarizations = heldNotarizations | (v > 0 -> bitOf(v) : 0)
}

inline holdForNotarize(i, v, p, kind) {
  holdEntry(i, v);
  d_step {
    holdNotarization(p);
    heldNullifications = heldNullifications | between(p, v);
    for (v_ : 1 .. VIEWS) {
      if
      :: kind != again && height[p] >= checkpointLag && isFinalized(v_) &&
          height[v_] >= height[p] + 1 - checkpointLag ->
        heldFinalizations = heldFinalizations | bitOf(v_)
      :: else -> skip
      fi
    }
  }
}

/* --- The calm run --------------------------------------------------------------------------------------------------- */

/*
 * From now on the Byzantine validator is silent, what honest ones sent or hold arrives, and they wait long enough. Then the
 * first view that begins in calm and has an honest leader must be finalized; otherwise the rules have locked themselves in.
 * It may be reached through views with the Byzantine leader. One order of steps is run: that nothing is stuck for ever.
 */
hidden int knownNotarizations, knownNullifications, knownFinalizations;
hidden byte top, now_, parent, executed, kind_;

#ifdef WITHOUT_PASS_ON
#define isHeld(certificates, v) false
#else
/* Passing on, helpBehind, and answers to who asks: what one holds, all get. */
#define isHeld(certificates, v) (((certificates) & bitOf(v)) != 0)
#endif

inline countVotes(v) {
  i_ = 0; j_ = 0; count = 0;
  for (w_ : 0 .. HONEST - 1) {
    i_ = i_ + (notarization[v] != 0 && ownNotarize[at(w_, v)] == notarization[v]);
    j_ = j_ + ownNullified[at(w_, v)];
    count = count + (notarization[v] != 0 && ownFinalize[at(w_, v)] == notarization[v])
  }
}

/* What is known once everything has arrived. */
inline learn() {
  knownNotarizations = 0; knownNullifications = 0; knownFinalizations = 0; executed = 0;
  for (v_ : 1 .. PLACES - 1) {
    countVotes(v_);
    if
    :: i_ >= QUORUM || isHeld(heldNotarizations, v_) -> knownNotarizations = knownNotarizations | bitOf(v_)
    :: else -> skip
    fi;
    if
    :: j_ >= QUORUM || isHeld(heldNullifications, v_) -> knownNullifications = knownNullifications | bitOf(v_)
    :: else -> skip
    fi;
    if
    :: count >= QUORUM || isHeld(heldFinalizations, v_) ->
      knownFinalizations = knownFinalizations | bitOf(v_);
      executed = (height[v_] > executed -> height[v_] : executed)
    :: else -> skip
    fi
  }
}

/* R6, by everybody, for every view known to be notarized. */
inline finalizeAll() {
  for (v_ : 1 .. PLACES - 1) {
    for (i_ : 0 .. HONEST - 1) {
      if
      :: (knownNotarizations & bitOf(v_)) && mayFinalize(i_, v_) -> ownFinalize[at(i_, v_)] = notarization[v_]
      :: else -> skip
      fi
    }
  }
}

/* R5, by everybody who may: the time is over. */
inline nullifyAll(v) {
  for (i_ : 0 .. HONEST - 1) {
    if
    :: ownFinalize[at(i_, v)] == 0 -> ownNullified[at(i_, v)] = 1
    :: else -> skip
    fi
  }
}

/* R2: the highest usable view, a nullification for each view between, and what to propose on it. */
inline proposeInCalm(v) {
  parent = v - 1;
  do
  :: parent > 0 && !(knownNotarizations & bitOf(parent)) -> parent--
  :: else -> break
  od;
  kind_ = newBlock;
  holds = (knownNullifications & between(parent, v)) == between(parent, v);
  if
  :: height[parent] + 1 > executed + checkpointLag ->
#ifdef WITHOUT_REPROPOSAL
    holds = false
#else
    kind_ = again;
    holds = holds && parent > 0 && !(knownFinalizations & bitOf(parent))
#endif
  :: else -> skip
  fi
}

/* R3, by everybody: this is what the leader proposed. */
inline notarizeAll(v) {
  for (i_ : 0 .. HONEST - 1) {
    ownNotarize[at(i_, v)] = P(parent, kind_)
  }
  notarization[v] = P(parent, kind_);
  height[v] = heightOn(parent, kind_)
}

/* R4: everybody certifies what is notarized, also after the own nullify. */
#ifdef WITHOUT_KEEP_CERTIFYING
inline certifiedByAll(v) {
  holds = (knownNotarizations & bitOf(v)) != 0;
  for (i_ : 0 .. HONEST - 1) {
    holds = holds && !ownNullified[at(i_, v)]
  }
}
#else
inline certifiedByAll(v) {
  holds = (knownNotarizations & bitOf(v)) != 0
}
#endif

/* One state for all ends. */
inline forgetEverything() {
  for (i_ : 0 .. HONEST - 1) {
    view[i_] = 0;
    for (v_ : 0 .. PLACES - 1) {
      ownNotarize[at(i_, v_)] = 0; ownNullified[at(i_, v_)] = 0; ownFinalize[at(i_, v_)] = 0;
      notarization[v_] = 0; height[v_] = 0; proposal[v_] = 0
    }
  }
  nullifications = 0; finalizations = 0; finalizedHeight = 0;
  heldNotarizations = 0; heldNullifications = 0; heldFinalizations = 0
}

inline calmRun() {
  top = 1;
  for (i_ : 0 .. HONEST - 1) {
    top = (view[i_] > top -> view[i_] : top)
  }
  now_ = top;
  do
  :: now_ < PLACES ->
    learn();
    if
    :: now_ > top && !isByzantine(now_) ->
      proposeInCalm(now_);
      if
      :: holds -> notarizeAll(now_); learn()
      :: else -> skip
      fi
    :: else -> skip
    fi;
    finalizeAll();
    learn();
    certifiedByAll(now_);
    if
    :: holds -> skip
    :: else ->
      nullifyAll(now_);
      learn();
      /* Nobody is left behind in a view that can neither be notarized nor nullified. */
      everybodyLeavesTheView = (knownNullifications & bitOf(now_)) != 0;
      assert(everybodyLeavesTheView)
    fi;
    if
    :: now_ > top && !isByzantine(now_) ->
      /* The first view of an honest leader that begins in calm is finalized. */
      calmViewIsFinalized = (knownFinalizations & bitOf(now_)) != 0;
      assert(calmViewIsFinalized);
      break
    :: else -> now_++
    fi
  :: else -> break
  od;
  assert(now_ < PLACES)
}
#endif

/* --- Every step anybody could take ---------------------------------------------------------------------------------- */

#define may(name, i, v, p, k) -> rule = name; who = i; inView = v; onParent = p; kind = k
#define notarizeOn(i, v, p) \
  :: mayNotarize(i, v, p, again) may(Notarize, i, v, p, again) \
  :: mayNotarize(i, v, p, newBlock) may(Notarize, i, v, p, newBlock) \
  :: mayNotarize(i, v, p, otherBlock) may(Notarize, i, v, p, otherBlock)
#define voteIn(i, v) \
  :: mayNullify(i, v) may(Nullify, i, v, 0, 0) \
  :: mayFinalize(i, v) may(Finalize, i, v, 0, 0) \
  mayForget(i, v)
#ifdef WITHOUT_NULLIFY_PERSISTED
#define mayForget(i, v) :: remembersNullify(i, v) may(Forget, i, v, 0, 0)
#else
#define mayForget(i, v)
#endif

#define rulesOf(i) \
  notarizeOn(i, 1, 0) voteIn(i, 1) \
  notarizeOn(i, 2, 0) notarizeOn(i, 2, 1) voteIn(i, 2) \
  rulesInView3(i) rulesInView4(i)
#if VIEWS >= 3
#define rulesInView3(i) notarizeOn(i, 3, 0) notarizeOn(i, 3, 1) notarizeOn(i, 3, 2) voteIn(i, 3)
#else
#define rulesInView3(i)
#endif
#if VIEWS >= 4
#define rulesInView4(i) notarizeOn(i, 4, 0) notarizeOn(i, 4, 1) notarizeOn(i, 4, 2) notarizeOn(i, 4, 3) voteIn(i, 4)
#else
#define rulesInView4(i)
#endif

active proctype anybody() {
end:
  do
  :: atomic {
    if
    rulesOf(0) rulesOf(1) rulesOf(2)
#if HONEST > 3
    rulesOf(3)
#endif
#ifdef CALM
    :: view[0] + view[1] + view[2] > 0 -> rule = Calm
#endif
    fi;
#ifdef CALM
    if
    :: rule == Notarize -> holdForNotarize(who, inView, onParent, kind)
    :: rule == Nullify -> holdEntry(who, inView)
    :: rule == Finalize -> holdNotarization(inView)
    :: else -> skip
    fi;
#endif
    d_step {
      printf("step: %e of %d in view %d, parent view %d, block %d\n", rule, who, inView, onParent, kind);
      if
      :: rule == Notarize -> notarize(who, inView, onParent, kind)
      :: rule == Nullify -> nullify(who, inView)
      :: rule == Finalize -> finalize(who, inView)
#ifdef WITHOUT_NULLIFY_PERSISTED
      :: rule == Forget -> forgotten[at(who, inView)] = 1
#endif
#ifdef CALM
      :: rule == Calm -> calmRun(); forgetEverything()
#endif
      fi;
      order();
      skip
    }
  }
  od
}
#else
/* --- A simulator run ------------------------------------------------------------------------------------------------ */

/*
 * Each step that an honest validator of the run took must be allowed in the state that the steps before it have made. Votes
 * are checked against what this validator has recorded itself, certificates against the votes that were signed.
 */
chan steps = [0] of { mtype, byte, byte, byte, byte, byte };
short stepsCount;

/* R1: with what the validator says let it enter. */
#define byStart 0
#define byNullification 1
#define byNotarization 2
#define byFinalization 3
#define isEntered(i, v, by) \
  ((by) == byNullification -> holdsNullification[at(i, (v) - 1)] \
    : ((by) == byNotarization -> certified[at(i, (v) - 1)] \
    : ((by) == byFinalization -> holdsFinalization[at(i, (v) - 1)] \
    : (mayEnterBy(i, v) || hasVotedIn(i, v)))))
#define hasVotedIn(i, v) (ownNotarize[at(i, v)] != 0 || ownNullified[at(i, v)])

inline countExecuted(h) {
  count = 0;
  for (i_ : 0 .. HONEST - 1) {
    count = count + (executedHeight[i_] >= h)
  }
}

inline takeStep(i, v, p, k, h) {
  if
  :: rule == Notarize -> countLacking(i, p, v); assert(mayNotarize(i, v, p, k)); notarize(i, v, p, k)
  :: rule == Nullify -> assert(mayNullify(i, v)); nullify(i, v)
  :: rule == Finalize -> assert(mayFinalize(i, v) && notarization[v] == P(p, k)); finalize(i, v)
  :: rule == EnterView -> assert(v > view[i] && isEntered(i, v, k)); view[i] = v
  :: rule == Notarization ->
    assert(notarization[v] == P(p, k) && (h == 0 || h == height[v])); holdsNotarization[at(i, v)] = 1
  :: rule == Nullification -> assert(isNullified(v)); holdsNullification[at(i, v)] = 1
  :: rule == Finalization -> assert(isFinalized(v) && notarization[v] == P(p, k)); holdsFinalization[at(i, v)] = 1
  :: rule == Certify ->
    assert(holdsNotarization[at(i, v)] && isUsable(i, parentViewOf(notarization[v]))); certified[at(i, v)] = 1
  :: rule == Finalized -> assert(holdsFinalization[at(i, v)] && v > lastFinalized[i]); lastFinalized[i] = v
  :: rule == Execute -> assert(h == executedHeight[i] + 1 && h <= finalizedHeight); executedHeight[i] = h
  :: rule == CheckpointCertified ->
    countExecuted(h); assert(isCertificate(count) && h <= executedHeight[i]);
    certifiedHeight[i] = (h > certifiedHeight[i] -> h : certifiedHeight[i])
  :: rule == Restart -> view[i] = 0
  fi
}

active proctype replica() {
end:
  do
  :: d_step {
    steps?rule, who, inView, onParent, kind, atHeight;
    stepsCount++;
    takeStep(who, inView, onParent, kind, atHeight);
    skip
  }
  od
}
#endif
