"""What the page says around its tables."""

INTRO = """# How often the gate is right

Before a gate may stop a release, or let one go, one should know how often it is wrong. Here it
judged versions of an agent whose true quality is known, because their scores were simulated:
{n_decisions:,} decisions by `vcmp.decide`. A **false ship** lets a version through that is worse
by the whole margin; a **false block** stops one that is as good as the baseline. vcmp's gate is
built to make either mistake in 5 of 100 decisions at most; it made them in {ship} and {block} of
100 on average, {worst} in the worst case below. The gate of MLflow's guide stops {guide_block} of
100 unchanged agents that are right 80 % of the time, and a plain limit on the numbers as seen
ships {plain_ship} of 100 that lost the whole margin, however many the cases.

What follows from it: with 30 cases hardly any gate can decide, and vcmp says so (*undecided*)
where the others guess. Plan for the number of cases in [the advice](#how-many-cases-it-takes);
scores that are finer than yes or no, and repeats, need far fewer. And do not take the best of
several variants by a gate that was made for one.
"""

READING = """## Reading the tables

All numbers are percent of the runs unless a column says otherwise. The margin is 5 points, a
ratio may be 1.2, alpha is 0.05. Where a limit of acceptance applies and is passed, the number is
marked **✗**, or **✗?** when the noise of the simulation alone (twice its standard error) could
have done it. With {runs:,} runs a rate of 5 % is known to ±{noise:.1f} points (one standard
error), and with {least:,}, the fewest for an error, to ±{widest:.1f}.

- **guide**: MLflow's guide on the numbers as seen: two means of at least 0.80, the first above
  the baseline's (`conf/gate/thresholds.yaml`). It knows only *ship* and *block*.
- **plain**: the candidate's mean is at least the baseline's minus the margin, or its ratio at
  most 1.2, as seen.
- **z test**: what the same rule would decide if the true spread of the scores were known, on the
  same samples. It is a yardstick, not a choice.

"""

SECTIONS = {
    "paired": """## False ships and false blocks

Each row is one kind of score at one number of cases, under `NonInferiority` with a margin of
0.05; *ten metrics* adds nine unchanged guardrails under `NoRegression`. *False ship*: the
candidate is worse by exactly 0.05. *False block*, *undecided*: it is unchanged. Limit: 6 %
(9 % with 30 cases).

""",
    "ratios": """## Latency and cost

`MaxRatio` with `max: 1.2`. *False ship*: the true ratio is exactly 1.2. *False block*: it is 1.
Some runs take many times as long as usual, and cases differ by an order of magnitude. Limit: 6 %,
and 9 % with 30 cases.

""",
    "absolute": """## Limits without a baseline

`Threshold` and `MaxRate` with the truth exactly at their limit: passing and failing are both
mistakes there, and *undecided* is right. Limit: 6 %, and 9 % with 30 cases.

""",
    "selection": """## The best of five variants

`select: best_passing` among five yes-or-no variants: all five worse by the margin; or four worse
and one unchanged. Limit for shipping a bad one: 6 %, and 9 % with 30 cases.

""",
    "power": """## The chance to decide

In brackets what the z test would have decided on the same samples. *Pass at 0* is an unchanged
agent, *pass at 0.03* one that gained 3 points, *fail at -0.05* one that lost the margin. Limit: 5
points from the z test, from 100 cases on.

""",
    "power_ratios": """For ratios, where 1 is unchanged and 1.2 the limit:

""",
    "power_absolute": """And for limits without a baseline, which have no paired test to be held to:

""",
    "coverage": """## Intervals

How many of the 95 % intervals hold the truth, over all effects above. Limit: 93.5 to 97 % over
all scores from 100 cases on; single rows are held to it as well.

""",
    "advice": """## How many cases it takes

An undecided finding says how many cases would give an unchanged agent an 80 % chance of a
verdict. *Truth* is that number by the known spread; *median advice* is what undecided runs with
100 cases said. The last column is the share of new runs, with as many cases as the median advice,
in which an unchanged agent passed or failed. Limit: a ratio of 0.8 to 1.25.

""",
    "looks": """## Stopping early

With `looks: 5` the gate looks after each fifth of the cases and stops when it knows. *Cases used*
is the share that an unchanged agent needs on average; *least possible* is what the same plan
would use if the spread were known. Limits: errors as above, and 60 % of the cases where that is
possible at all.

""",
}

HOW = """## How it was measured

    python -m benchmarks.decisions --runs {runs} --seed {seed}

{machine}, {minutes:.0f} minutes. Larger samples get fewer runs, and the further effects a
quarter. The same seed gives the same page on any number of cores, but for this paragraph.
`--quick` is a try of a minute.

- Cases have an ability, from a beta distribution; both versions are drawn around it, so that
  their scores go together. A worse candidate has the abilities scaled down, until the true mean
  is lower by exactly the effect; nothing is clipped.
- *Repeats* are three runs of each case in both arms. *Clusters* gain or lose 0.08 as a whole,
  beside the effect. *Errors* leave the candidate's cell empty in some of the runs it got wrong,
  more of them on hard cases; they count as 0, so the truth stays. Guide and plain leave empty
  cells out, as most tools do.
- Latency and cost are log-normal over cases; 3 % of the latencies have a Pareto factor of shape
  2.5.
- Guardrails are independent of the primary metric and of each other, which is the worst case for
  false alarms; the guide's second metric is, too.
- The five variants share one baseline run. They are correlated through it.
- The z test's spread is the standard deviation over 5,000 samples of 200 cases; its truth for the
  advice is (1.645 + 0.842)² spread² / margin².
"""
