//! Numbers, money, dates, ranges.

use super::check;

#[test]
fn signs_belong_to_their_numbers() {
    check(&[
        (
            "-1,234 or −1,234.5",
            "minus one thousand two hundred thirty-four or minus one thousand two hundred thirty-four point five",
        ),
        (
            "-$5, $-5 and -€2.50",
            "minus five dollars, minus five dollars and minus two euros and fifty cents",
        ),
        (
            "-5 km, -5°C and –40 °F",
            "minus five kilometers, minus five degrees Celsius and minus forty degrees Fahrenheit",
        ),
        (
            "(-3.5%) and -1/2",
            "(minus three point five percent) and minus one half",
        ),
        (
            "x=-3 and 10^-6, 5 +/- 2",
            "x equals minus three and ten to the power of minus six, five plus or minus two",
        ),
        ("-5 to -10°C", "minus five to minus ten degrees Celsius"),
        (
            "COVID-19, a B-52 and 20-30",
            "COVID- nineteen, a B- fifty-two and twenty to thirty",
        ),
        ("It was cold - 5 left", "It was cold , five left"),
    ]);
}

#[test]
fn decades_are_told_from_seconds() {
    check(&[
        (
            "the 80s, her 20s and his late '40s",
            "the eighties, her twenties and his late forties",
        ),
        (
            "80s music, 1980s–90s",
            "eighties music, nineteen eighties to nineties",
        ),
        ("the 80's and the ’60s", "the eighties and the sixties"),
        (
            "100s of people, 10s of thousands",
            "hundreds of people, tens of thousands",
        ),
        (
            "a 30s timeout, wait 10s, for 20s",
            "a thirty seconds timeout, wait ten seconds, for twenty seconds",
        ),
        (
            "5s or 45s or 30 s",
            "five seconds or forty-five seconds or thirty seconds",
        ),
    ]);
}

#[test]
fn dates_of_figures_are_read() {
    check(&[
        ("12/25/2024", "December twenty-fifth, twenty twenty-four"),
        (
            "2024/02/29 or 2024.2.29",
            "February twenty-ninth, twenty twenty-four or February twenty-ninth, twenty twenty-four",
        ),
        ("29.02.2024", "February twenty-ninth, twenty twenty-four"),
        (
            "25/12/1999, 1/2/03 and 7/4/76",
            "December twenty-fifth, nineteen ninety-nine, January second, two thousand three and July fourth, nineteen seventy-six",
        ),
        ("12-25-2024", "December twenty-fifth, twenty twenty-four"),
        (
            "on 12/25 or 1/3 of it",
            "on December twenty-fifth or one third of it",
        ),
        ("13/13/2024", "thirteen slash thirteen slash twenty twenty-four"),
        (
            "1.2.3 and 192.168.0.1",
            "one point two point three and one hundred ninety-two point one hundred sixty-eight point zero point one",
        ),
    ]);
}

#[test]
fn fractions_are_read() {
    check(&[
        (
            "24/7, 9/11 and 3/4",
            "twenty-four seven, nine eleven and three quarters",
        ),
        ("2½ or 1 1/2 cups", "two and a half or one and a half cups"),
        (
            "2 3/4, 1-1/4 and 5 1/8",
            "two and three quarters, one and a quarter and five and one eighth",
        ),
        (
            "½ km, 1/2 oz, ⅔ and 1½ km",
            "half a kilometer, half an ounce, two thirds and one and a half kilometers",
        ),
        ("50/50 and 20/20", "fifty fifty and twenty twenty"),
        ("in 6/8 time", "in six eight time"),
        ("7/0 and 1/2/3", "seven slash zero and one slash two slash three"),
    ]);
}

#[test]
fn ranges_are_read() {
    check(&[
        (
            "50–60 km and 5-10 min",
            "fifty to sixty kilometers and five to ten minutes",
        ),
        (
            "$10-$20, $5-10 and $5m-$10m",
            "ten to twenty dollars, five to ten dollars and five to ten million dollars",
        ),
        (
            "$1.50-$2.50",
            "one dollar and fifty cents to two dollars and fifty cents",
        ),
        (
            "1,000-2,000 or 500-1000",
            "one thousand to two thousand or five hundred to one thousand",
        ),
        (
            "50%-60% or 5–10%",
            "fifty to sixty percent or five to ten percent",
        ),
        (
            "20-25°C, 20°–25°C",
            "twenty to twenty-five degrees Celsius, twenty to twenty-five degrees Celsius",
        ),
        (
            "10am-5pm, 9-5pm, 9–11 a.m. today",
            "ten a m to five p m, nine to five p m, nine to eleven a m today",
        ),
        (
            "at 3 p.m. Eastern time. At 4 p.m. He left.",
            "at three p m Eastern time. At four p m. He left.",
        ),
        ("10:30-11:45", "ten thirty to eleven forty-five"),
        ("May 5-7, 2024", "May fifth to seventh, twenty twenty-four"),
        (
            "5–7 May or May 30-June 2",
            "the fifth to the seventh of May or May thirtieth to June second",
        ),
        (
            "5km-10km and 1st-3rd",
            "five kilometers to ten kilometers and first to third",
        ),
        (
            "1914 – 1918 and 2005-06",
            "nineteen fourteen to nineteen eighteen and two thousand five to oh six",
        ),
        ("5 – 3 = 2", "five , three equals two"),
        (
            "a 5-km run, a 10-min walk",
            "a five kilometer run, a ten minute walk",
        ),
        ("a two-year plan, twenty-one", "a two-year plan, twenty-one"),
    ]);
}

#[test]
fn numbers_of_telephones_and_cards_are_read_by_group() {
    check(&[
        (
            "1-800-555-1234",
            "one, eight hundred, five five five, one two three four",
        ),
        (
            "(555) 123-4567",
            "five five five, one two three, four five six seven",
        ),
        (
            "+1 (555) 123-4567",
            "plus one, five five five, one two three, four five six seven",
        ),
        (
            "555.123.4567 or 212-555-0187",
            "five five five, one two three, four five six seven or two one two, five five five, zero one eight seven",
        ),
        (
            "+44 20 7946 0958",
            "plus four four, two zero, seven nine four six, zero nine five eight",
        ),
        (
            "ISBN 978-0-306-40615-7",
            "I S B N nine seven eight, zero, three zero six, four zero six one five, seven",
        ),
        (
            "1234 5678 9012 3456",
            "one two three four, five six seven eight, nine zero one two, three four five six",
        ),
        ("123-45-6789", "one two three, four five, six seven eight nine"),
        ("a 4-4-2 formation", "a four four two formation"),
        ("1-888-GO-HOME", "one, eight eight eight, -GO-HOME"),
        ("(555) people", "(five hundred fifty-five) people"),
    ]);
}

#[test]
fn money_is_read_wherever_its_sign_is() {
    check(&[
        (
            "20 €, 50¢, 1¢ and $.50",
            "twenty euros, fifty cents, one cent and fifty cents",
        ),
        ("$x and 5 $10", "dollar x and five ten dollars"),
        (
            "$1,234.56 and $100k",
            "one thousand two hundred thirty-four dollars and fifty-six cents and one hundred thousand dollars",
        ),
    ]);
}

#[test]
fn a_units_full_stop_ends_no_sentence_that_goes_on() {
    check(&[
        ("10 lbs. and 3 ft. tall", "ten pounds and three feet tall"),
        ("It is 5 oz. lighter.", "It is five ounces lighter."),
        ("wait 5 min. Then go", "wait five minutes. Then go"),
        ("5 lbs. 3 oz.", "five pounds three ounces."),
        ("(it has 5 km.) So", "(it has five kilometers.) So"),
    ]);
}
