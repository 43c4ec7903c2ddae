// Light or dark, as chosen in Cockpit's menu, or as the system has it.

const DARK = "pf-v6-theme-dark";
const CHOICE = "shell:style"; // Cockpit's key: light, dark or auto

function apply(): void {
    const choice = localStorage.getItem(CHOICE) ?? "auto";
    const dark = choice === "auto" ? matchMedia("(prefers-color-scheme: dark)").matches : choice === "dark";
    document.documentElement.classList.toggle(DARK, dark);
}

export function followTheme(): void {
    apply();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
    window.addEventListener("storage", event => {
        if (event.key === CHOICE) apply();
    });
    window.addEventListener("cockpit-style", apply);
}
