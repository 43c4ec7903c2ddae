import hooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

export default tseslint.config(
    { ignores: ["dist", "node_modules"] },
    {
        files: ["src/**/*.{ts,tsx}"],
        extends: [tseslint.configs.strictTypeChecked, hooks.configs.flat.recommended],
        languageOptions: { parserOptions: { projectService: true } },
        rules: {
            eqeqeq: "error",
            // A number in a text is what is meant.
            "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
        },
    },
);
