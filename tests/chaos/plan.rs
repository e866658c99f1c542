//! Which fault comes when: the same for the same seed. A plan may name some of the seed's faults
//! only, to find the few that matter.

use tests::Dice;

use crate::faults::Fault;

/// One fault with the dice that decide its details.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// Its number in the seed's sequence, from 1.
    pub(crate) number: usize,
    pub(crate) fault: Fault,
    pub(crate) dice: Dice,
}

/// The endless sequence of a seed: each kind comes up before any comes twice.
pub(crate) fn steps(seed: u64, kinds: &[Fault]) -> impl Iterator<Item = Step> {
    let (mut dice, mut bag, kinds) = (Dice(seed), Vec::new(), kinds.to_vec());
    (1..).map(move |number| {
        if bag.is_empty() {
            bag.clone_from(&kinds);
        }
        let fault = bag.swap_remove(usize::try_from(dice.roll(bag.len() as u64)).unwrap());
        Step { number, fault, dice: Dice(seed ^ ((number as u64) << 32)) }
    })
}

/// `ONLY=3,7`: these numbers.
pub(crate) fn only(text: &str) -> Vec<usize> {
    text.split(',')
        .filter(|word| !word.trim().is_empty())
        .map(|word| word.trim().parse().unwrap())
        .collect()
}

#[test]
fn a_seed_names_its_faults_and_each_kind_comes_before_any_comes_twice() {
    let kinds = Fault::kinds(1);
    let of = |seed| steps(seed, &kinds).take(kinds.len()).map(|s| s.fault).collect::<Vec<_>>();
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
    let mut all = of(7);
    all.sort_unstable();
    assert_eq!(all, kinds, "every kind once");
    assert_eq!(only("3, 7"), [3, 7]);
}
