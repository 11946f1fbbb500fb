"""How likely is it that a printed lead is none? Bayes from two scores, their n and an agreement.

After Christodoulou et al., "False Promises in Medical Imaging AI?" (arXiv 2505.04720): the
posterior probability that the method behind is at least as good; for accuracies from a Dirichlet
posterior with a flat prior over the four outcomes of an image, for means over cases from Student's
t. What differs: they take the share of images that both get right from other papers; here the
*association* is measured on the same data set and carried over to the printed accuracies as an odds
ratio, which (unlike that share) does not depend on how good the two methods are. For Dice they join
the two methods' SDs by a correlation; here the SD of the paired difference is measured.
"""

from __future__ import annotations

from math import sqrt

from scipy.special import betainc
from scipy.stats import t


def both_right(first: float, second: float, odds_ratio: float) -> float:
    """Share of images that both get right, from the two accuracies and the odds ratio.

    The cell of Plackett's distribution (10.1080/01621459.1965.10480807): the root between the
    Frechet bounds of psi (a - c) (b - c) = c (1 - a - b + c).

    >>> round(both_right(0.9, 0.8, 1.0), 4)  # independent
    0.72
    """
    if odds_ratio == 1:
        return first * second
    k = odds_ratio - 1
    s = 1 + k * (first + second)
    return (s - sqrt(s * s - 4 * k * odds_ratio * first * second)) / (2 * k)


def accuracy_lead(ahead: float, behind: float, n: int, odds_ratio: float) -> float:
    """Probability that the method behind is at least as accurate.

    With x images right only for the one ahead and y only for the other, the posterior of the share
    x / (x + y) is Beta(x + 1, y + 1); the images on which both agree say nothing about the order.

    Args:
        ahead: accuracy of the leading method, a fraction.
        behind: of the other.
        n: test images.
        odds_ratio: of being right together.
    """
    both = both_right(ahead, behind, odds_ratio)
    x, y = max(0.0, n * (ahead - both)), max(0.0, n * (behind - both))
    return float(betainc(x + 1, y + 1, 0.5))


def dice_lead(ahead: float, behind: float, n: int, sd_difference: float) -> float:
    """Probability that the mean Dice of the method behind is at least as high.

    Args:
        ahead: mean of the leading method.
        behind: of the other, in the same unit.
        n: cases.
        sd_difference: SD over cases of the paired difference, in that unit.
    """
    return float(t.cdf(sqrt(n) * (behind - ahead) / sd_difference, n - 1))
