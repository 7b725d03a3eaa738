"""The fault matrix: every fault on the real stack, under load, and a checker that trusts nobody.

    stage.py    the real servers and the site's programs, started once
    crowd.py    buyers, who follow a seeded plan and write down what they were told
    kinds/      the faults: each injects itself, heals, and proves that it happened
    run.py      one run: load, fault, healing, resolving what is unknown, draining
    check.py    what buyers were told against what ledger and database hold
    jobs.py     several stages, so that several runs are played at once
    siege.py    one long sale while hunt.py kills everything at random

``make faults SEEDS=3 ONLY=redis-killed`` runs the matrix, ``make siege ORDERS=2000`` the siege. The checker takes
nothing from the program's own ``audit``; a siege is judged by both.
"""
